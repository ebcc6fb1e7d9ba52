import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import { query } from '#dns/fixtures.js'
import { DEFAULT_NAMES } from '#firewall/names/name-profiles.js'
import { startWorker } from './workers/processes.js'

// A million different names, half of them under a wildcard. Fails if the resolver's memory grows beyond the limit, or if it
// answers more names than the budget of the wildcard allows.
//
//     npm run bench:dns-flood -- [NAMES]

const NAMES = Number(process.argv[2] ?? 1_000_000)
const GROWTH_MIB = 50
const BUDGET = DEFAULT_NAMES.budget.names
/** Queries in flight: more would overflow the socket buffer. */
const WINDOW = 100
const IDLE_MS = 1_500
const LOST_MS = 5_000

const gateway = await startWorker<number>('dns-gateway', ['gateway', '"**.flood.example"'])
const memory = (field: string) => {
  const status = readFileSync(`/proc/${String(gateway.pid)}/status`, 'utf8')
  return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1]) / 1024
}

/** Sends all names; resolves to the number of answers by rcode (RFC 1035 section 4.1.1). */
function flood(port: number): Promise<ReadonlyMap<number, number>> {
  const socket = createSocket('udp4')
  const codes = new Map<number, number>()
  let sent = 0
  let open = 0
  return new Promise((resolve) => {
    const end = () => {
      socket.close()
      resolve(codes)
    }
    // Do not wait for lost packets.
    const timer = setTimeout(end, LOST_MS)
    const fill = () => {
      for (; open < WINDOW && sent < NAMES; open += 1, sent += 1) {
        const zone = sent % 2 === 0 ? 'flood' : `other${String(sent % 977)}`
        const label = `${randomBytes(3).toString('hex')}${sent.toString(36)}`
        socket.send(query(`${label}.${zone}.example`), port, '127.0.0.1')
      }
      if (open > 0) return
      clearTimeout(timer)
      end()
    }
    socket.on('message', (answer) => {
      const code = (answer[3] ?? 0) & 15
      codes.set(code, (codes.get(code) ?? 0) + 1)
      open -= 1
      timer.refresh()
      fill()
    })
    fill()
  })
}

await new Promise((resolve) => setTimeout(resolve, IDLE_MS))
const idle = memory('VmRSS')
const codes = await flood(gateway.ready)
const peak = memory('VmHWM')
await gateway.stop()
const of = (code: number) => codes.get(code) ?? 0
const answered = of(0) + of(3) + of(5)
process.stdout.write(
  `${String(answered)} of ${String(NAMES)} names answered: ${String(of(0))} with an address, ` +
    `${String(of(3))} NXDOMAIN, ${String(of(5))} REFUSED\n` +
    `resident memory: idle ${idle.toFixed(1)} MiB, peak ${peak.toFixed(1)} MiB\n`,
)
if (peak - idle > GROWTH_MIB || of(0) !== BUDGET || answered < NAMES * 0.99) {
  process.stderr.write(
    `bench:dns-flood: Too much memory, too many addresses, or too few answers\n` +
      `  Limits: ${String(GROWTH_MIB)} MiB more, ${String(BUDGET)} addresses, 1 % lost\n`,
  )
  process.exitCode = 1
}
