import { randomBytes } from 'node:crypto'
import type { FuzzTarget } from './workers/fuzz-checks.js'
import { fuzzHttp1 } from './workers/fuzz-http1.js'
import { fuzzHttp2 } from './workers/fuzz-http2.js'

// Hostile clients and hostile upstreams on both sides of a gateway, in HTTP/1.1 and HTTP/2.
//
//     npm run fuzz:http [-- SECONDS [SEED [1|2]]]
//
// Each round is made from its own seed, which is printed with a finding: `npm run fuzz:http -- 1 SEED 2` repeats that round first.
// A finding is: the gateway failed; what an upstream was sent was not recorded and allowed, was not what the record says, was
// ambiguous, or came with the client's own credential; the token came back; a response came on another stream than its request; another
// client was not served; something was still held after the round; or the memory grew.

/** Bytes that the heap and buffers may grow by, over all rounds after the first ones. */
const MAX_GROWTH = 256 * 2 ** 20

const seconds = Number(process.argv[2] ?? 60)
const firstSeed = Number(process.argv[3] ?? randomBytes(4).readUInt32BE())
const version = process.argv[4] ?? '1 and 2'

function memory(): number {
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

async function main(): Promise<void> {
  const targets: (readonly [string, FuzzTarget])[] = []
  if (version.includes('1')) targets.push(['1', await fuzzHttp1()])
  if (version.includes('2')) targets.push(['2', await fuzzHttp2()])
  process.on('uncaughtException', (error) => {
    console.error(`FINDING the process failed: ${error.stack ?? String(error)}`)
    process.exit(1)
  })
  const begun = performance.now()
  let [rounds, requests, found, base] = [0, 0, 0, 0]
  for (; performance.now() - begun < seconds * 1_000 || rounds === 0; rounds += 1) {
    const seed = (firstSeed + rounds) >>> 0
    for (const [name, target] of targets) {
      const round = await target.play(seed)
      requests += round.requests
      for (const finding of round.findings) {
        found += 1
        console.log(`FINDING seed ${String(seed)} ${name}: ${finding}`)
      }
    }
    if (rounds === 20) base = memory()
  }
  const grown = base === 0 ? 0 : memory() - base
  if (grown > MAX_GROWTH) {
    found += 1
    console.log(`FINDING the memory grew by ${String(Math.round(grown / 2 ** 20))} MiB`)
  }
  console.log(
    `${String(rounds)} rounds of HTTP/${version} from seed ${String(firstSeed)}, ${String(requests)} arrivals upstream, ` +
      `memory ${(grown / 2 ** 20).toFixed(1)} MiB: ${String(found)} findings`,
  )
  for (const [, target] of targets) await target.close()
  process.exit(found === 0 ? 0 : 1)
}

await main()
