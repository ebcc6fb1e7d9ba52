// A whole gateway on loopback for several sandboxes: who connects from 127.0.0.2 is sandbox a, from 127.0.0.3 sandbox b.
// usage: EGRESS=… AUDIT=dir node gateway.mjs policy.yaml [agentOfA agentOfB]  -> prints ports as JSON
import { createServer } from 'node:net'
import { createSocket } from 'node:dgram'
import { writeFileSync } from 'node:fs'

const built = `${process.env.EGRESS}/dist/`
const { Gateway } = await import(`${built}src/gateway/gateway.js`)
const { loadPolicy } = await import(`${built}config/load.js`)
const { CREDENTIAL_KINDS } = await import(`${built}proxy/credentials/index.js`)
const { Audit } = await import(`${built}src/audit/audit.js`)
const { makePlaceholders } = await import(`${built}src/common/environment.js`)

const [file, a = 'default', b = 'default'] = process.argv.slice(2)
const { policy, refresher } = await loadPolicy(file, {
  kinds: CREDENTIAL_KINDS,
  env: process.env,
  cwd: process.cwd(),
  secrets: 'values',
})
const sandboxes = {
  '127.0.0.2': { id: 'sb-a', agent: a, placeholders: makePlaceholders(policy, a) },
  '127.0.0.3': { id: 'sb-b', agent: b, placeholders: makePlaceholders(policy, b) },
}
const audit = new Audit({
  directory: process.env.AUDIT ?? `${process.env.TMPDIR ?? '/tmp'}/audit-${process.pid}`,
  gateway: 'g',
  now: Date.now,
  onChange: (message) => console.error(message),
})
const gateway = await Gateway.create({
  policy,
  refresher,
  audit,
  identify: ({ address }) => sandboxes[address] ?? null,
  address: { ipv4: '127.0.0.1', ipv6: null },
  fail: (error) => console.error('FAIL', error),
  warn: console.error,
})
const tcp = () =>
  new Promise((resolve) => {
    const server = createServer()
    server.listen({ port: 0, host: '127.0.0.1', backlog: 511 }, () => resolve(server))
  })
const udp = () =>
  new Promise((resolve) => {
    const socket = createSocket('udp4')
    socket.bind(0, '127.0.0.1', () => resolve(socket))
  })
const sockets = {
  dnsUdp: await udp(),
  dnsTcp: await tcp(),
  http: await tcp(),
  https: await tcp(),
  forward: await tcp(),
  reverse: await tcp(),
}
gateway.serve(sockets)
writeFileSync(process.env.CA ?? '/dev/null', gateway.certificate)
console.log(
  JSON.stringify({
    ...Object.fromEntries(Object.entries(sockets).map(([name, socket]) => [name, socket.address().port])),
    pid: process.pid,
    placeholders: Object.fromEntries(sandboxes['127.0.0.2'].placeholders),
  }),
)
