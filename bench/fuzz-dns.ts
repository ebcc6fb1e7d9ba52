import { randomBytes, randomInt } from 'node:crypto'
import { bench, HOSTS, opt, query } from '#dns/fixtures.js'
import { QueryLimiter } from '#firewall/ledger/query-limiter.js'
import { resolveQuery } from '#dns/resolver.js'
import { tuneGarbageCollector } from '#src/gateway/gc-tuning.js'

// Random and mutated packets through parser, steps and encoder. Fails if a packet makes them throw, gets an invalid answer or
// takes too long, or if memory grows.
//
//     npm run fuzz:dns -- [PACKETS] [SEED]

const PACKETS = Number(process.argv[2] ?? 10_000_000)
const SEED = Number(process.argv[3] ?? randomInt(2 ** 31))
const SLOWEST_MS = 5
const GROWTH_BYTES = 50 * 1024 * 1024
const PEER = { address: '127.0.0.1', port: 5353 }

/** A pseudo-random number from 0 to 2^32 - 1: Marsaglia's xorshift (2003), so that a seed repeats a run. */
function generator(seed: number): () => number {
  let state = seed >>> 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>>= 0)
  }
}

tuneGarbageCollector()
const random = generator(SEED)
const below = (limit: number): number => random() % limit
const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T

const corpus: readonly Buffer[] = [
  ...HOSTS.map((host) => query(host.replace(/\*+/, 'a'))),
  ...HOSTS.map((host) => query(host.replace(/\*+/, 'a'), { rest: opt(), type: 28 })),
  query('x'.repeat(63) + '.' + 'y'.repeat(63) + '.' + 'z'.repeat(63)),
  query('api.github.com', { rest: opt({ options: Buffer.from('000a0008aabbccddeeff0011', 'hex') }) }),
  query('1.0.0.127.in-addr.arpa', { type: 12 }),
]
const noise = randomBytes(65_536)

/** One packet: noise of any length, or a valid query with some bytes changed, removed, repeated or inserted. */
function packet(): Buffer {
  if (below(10) === 0) {
    const begin = below(noise.length)
    return Buffer.from(noise.subarray(begin, begin + below(600)))
  }
  let bytes = Buffer.from(pick(corpus))
  for (let changes = 1 + below(4); changes > 0; changes -= 1) {
    const at = below(bytes.length + 1)
    const kind = below(5)
    if (kind === 0) bytes = bytes.subarray(0, at)
    else if (kind === 1) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(below(at + 1))])
    else if (kind === 2) bytes[at] = pick([0, 1, 0x3f, 0x40, 0x80, 0xc0, 0xff])
    else bytes[at] = random() & 0xff
  }
  return bytes
}

const { context, failures } = bench({
  record: (_event, done) => done(null),
  limiter: new QueryLimiter(),
  rate: { perSecond: 1e12, burst: 1e12 },
})
let slowest = 0
let answered = 0
let rss = 0

function send(bytes: Buffer): void {
  const begin = performance.now()
  let replies = 0
  resolveQuery(bytes, PEER, 'udp', context, (reply) => {
    replies += 1
    if (reply === null) return
    answered += 1
    const sound = reply.readUInt16BE(0) === bytes.readUInt16BE(0) && (reply[2] ?? 0) >= 0x80
    if (!sound || reply.length > 1232) fail('invalid answer', bytes)
  })
  slowest = Math.max(slowest, performance.now() - begin)
  if (replies !== 1) fail(`${String(replies)} replies`, bytes)
  if (failures.length > 0) fail(String(failures[0]), bytes)
}

function fail(problem: string, bytes: Buffer): never {
  process.stderr.write(`fuzz:dns: ${problem}\n  packet ${bytes.toString('hex')}, seed ${String(SEED)}\n`)
  process.exit(1)
}

const begin = performance.now()
for (let index = 0; index < PACKETS; index += 1) {
  send(packet())
  if (index === Math.min(200_000, PACKETS >> 1)) {
    // From here on, everything is compiled and memory use is stable.
    slowest = 0
    rss = process.memoryUsage.rss()
  }
}
const seconds = (performance.now() - begin) / 1000
const growth = process.memoryUsage.rss() - rss
process.stdout.write(
  `${String(PACKETS)} packets, ${String(answered)} answered, seed ${String(SEED)}, ${seconds.toFixed(0)} s; ` +
    `slowest ${slowest.toFixed(2)} ms; memory grew by ${(growth / 1024 / 1024).toFixed(1)} MiB\n`,
)
if (slowest > SLOWEST_MS || growth > GROWTH_BYTES) {
  process.stderr.write(
    `fuzz:dns: Too slow, or too much memory\n  Limits: ${String(SLOWEST_MS)} ms and 50 MiB\n`,
  )
  process.exit(1)
}
