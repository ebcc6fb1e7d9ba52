import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request as requestPlain, type IncomingMessage } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text as textOf } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { loadPolicy } from '#config/load.js'
import { DEFAULT_AGENT } from '#firewall/contracts/identity.js'
import { CREDENTIAL_KINDS } from '#proxy/credentials/index.js'
import { Audit } from '#src/audit/audit.js'
import { Gateway, type GatewaySockets } from '#src/gateway/gateway.js'
import { upstreamCa } from './fixtures/run.js'
import { listen, startUpstream, type Upstream } from './fixtures/upstream.js'

t.setTimeout(120_000)

const VALUES = ['first-value-0123456789', 'second-value-987654321', 'third-value-5555555555'] as const

interface World {
  readonly directory: string
  readonly upstream: Upstream
  readonly warnings: string[]
  readonly gateway: Gateway
  /** What the gateway has put into its log of rotations. */
  readonly renewals: () => { outcome: string; reason: string | null; secret: unknown }[]
  /** Asks the gateway for something of the service; the upstream answers `/all` with all values. */
  readonly get: (path?: string) => Promise<{ status: number | undefined; body: string }>
  readonly write: (value: string) => void
}

/** A gateway on loopback ports, and an upstream that says back in header and body what it was sent, after a while. */
async function world(t: Test): Promise<World> {
  const directory = mkdtempSync(join(tmpdir(), 'egress-rotation-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const authority = await upstreamCa()
  const upstream = await startUpstream(authority, (request, response) => {
    const { authorization = '' } = request.headers
    const reply = () => {
      response.writeHead(200, { 'x-said': authorization })
      response.write(authorization.slice(0, 20))
      response.end(request.url === '/all' ? VALUES.join(' ') : authorization.slice(20))
    }
    setTimeout(reply, Math.random() * 200)
  })
  t.teardown(() => upstream.close())
  const write = (value: string) => {
    writeFileSync(join(directory, 'token.new'), `${value}\n`)
    renameSync(join(directory, 'token.new'), join(directory, 'token'))
  }
  write(VALUES[0])
  writeFileSync(join(directory, 'ca.pem'), authority.pem)
  writeFileSync(
    join(directory, 'egress.yaml'),
    `services:
  api:
    url: https://api.example
    credential: { bearer: "\${TOKEN}" }
    rules: [{ allow: GET /** }]
    allow_private_addresses: true
    ca: ./ca.pem
secrets:
  TOKEN: { file: ./token }
upstream: { hosts: { api.example: "127.0.0.1:${upstream.port}" } }
`,
  )
  const { policy, refresher } = await loadPolicy('egress.yaml', {
    kinds: CREDENTIAL_KINDS,
    env: {},
    cwd: directory,
  })
  const warnings: string[] = []
  const audit = new Audit({
    directory: join(directory, 'audit'),
    gateway: 'g',
    now: Date.now,
    onChange: () => undefined,
  })
  const gateway = await Gateway.create({
    policy,
    audit,
    identify: () => ({ id: 'sb-test', agent: DEFAULT_AGENT, placeholders: new Map() }),
    address: { ipv4: '127.0.0.1', ipv6: null },
    fail: (error) => t.fail(String(error)),
    refresher,
    warn: (message) => warnings.push(message),
  })
  const sockets = await bindSockets()
  gateway.serve(sockets)
  const { port } = sockets.reverse.address() as { port: number }
  const agent = new Agent({ keepAlive: true })
  t.teardown(async () => {
    agent.destroy()
    await gateway.close()
    audit.end()
  })
  return {
    directory,
    upstream,
    warnings,
    gateway,
    write,
    renewals: () =>
      readFileSync(join(directory, 'audit', 'http.ndjson'), 'utf8')
        .split('\n')
        .filter((line) => line.includes('"secret-rotation"'))
        .map((line) => {
          const { event, egress } = JSON.parse(line) as {
            event: { outcome: string; reason: string | null }
            egress: { secret: unknown }
          }
          return { outcome: event.outcome, reason: event.reason, secret: egress.secret }
        }),
    async get(path = '/x') {
      const headers = { host: 'egress:9199' }
      const sent = requestPlain({ port, host: '127.0.0.1', path: `/api${path}`, headers, agent }).end()
      const [response] = (await once(sent, 'response')) as [IncomingMessage]
      const body = `${JSON.stringify(response.headers)} ${await textOf(response)}`
      return { status: response.statusCode, body }
    },
  }
}

async function bindSockets(): Promise<GatewaySockets> {
  const dnsUdp = createSocket('udp4')
  await new Promise<void>((resolve) => dnsUdp.bind(0, '127.0.0.1', resolve))
  const open = async () => {
    const server = createServer()
    await listen(server)
    return server
  }
  return {
    dnsUdp,
    dnsTcp: await open(),
    http: await open(),
    https: await open(),
    forward: await open(),
    reverse: await open(),
  }
}

async function until(done: () => boolean): Promise<void> {
  for (let tries = 0; !done() && tries < 800; tries += 1) await sleep(25)
}

void t.test(
  'a file changes while requests are under way: none fails, and none carries anything else',
  async (t) => {
    const { upstream, get, write, renewals } = await world(t)
    const asked: Promise<{ status: number | undefined; body: string }>[] = []
    const timer = setInterval(() => asked.push(get()), 20)
    const sent = (value: string) =>
      upstream.requests.filter(({ headers }) => headers.authorization === `Bearer ${value}`).length
    await until(() => sent(VALUES[0]) > 50)
    write(VALUES[1])
    await until(() => sent(VALUES[1]) > 50)
    write(VALUES[2])
    await until(() => sent(VALUES[2]) > 50)
    clearInterval(timer)
    const answers = await Promise.all(asked)
    t.same([...new Set(answers.map(({ status }) => status))], [200], `${answers.length} requests`)
    t.equal(upstream.requests.length, answers.length)
    const others = upstream.requests.filter(
      ({ headers }) => !VALUES.some((value) => headers.authorization === `Bearer ${value}`),
    )
    t.same(others, [], 'each carried one of the values, whole')
    for (const { body } of answers) if (VALUES.some((value) => body.includes(value))) t.fail(body)
    const last = await get('/all')
    t.equal(upstream.requests.at(-1)?.headers.authorization, `Bearer ${VALUES[2]}`, 'in the end the new one')
    for (const value of [VALUES[1], VALUES[2]])
      t.notOk(last.body.includes(value), 'what it was before is redacted with what it is')
    t.same(
      renewals(),
      Array.from({ length: 2 }, () => ({
        outcome: 'success',
        reason: null,
        secret: { name: 'TOKEN', source: 'file' },
      })),
    )
  },
)

void t.test('a file that goes bad is logged, and the last good value goes on', async (t) => {
  const { directory, upstream, get, write, renewals, warnings, gateway } = await world(t)
  write('short')
  await until(() => warnings.length === 1)
  rmSync(join(directory, 'token'))
  await until(() => warnings.length === 2)
  t.equal((await get()).status, 200)
  t.equal(upstream.requests.at(-1)?.headers.authorization, `Bearer ${VALUES[0]}`)
  write(VALUES[1])
  await until(() => renewals().length === 3)
  t.equal((await get()).status, 200)
  t.equal(upstream.requests.at(-1)?.headers.authorization, `Bearer ${VALUES[1]}`)
  t.match(renewals(), [
    { outcome: 'failure', reason: /TOKEN has fewer than 8/ },
    { outcome: 'failure', reason: /not found/ },
    { outcome: 'success', reason: null },
  ])
  t.match(warnings, [
    /Could not refresh secret TOKEN, so the previous value stays in use: TOKEN has fewer/,
    /not found/,
  ])
  await gateway.close()
  write(VALUES[2])
  await sleep(2_500)
  t.equal(renewals().length, 3, 'a gateway that is closed reads nothing')
})
