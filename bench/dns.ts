import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findProgram } from './workers/find-program.js'
import { startDnsmasq, startUnbound } from './workers/name-servers.js'
import { startWorker, type Worker } from './workers/processes.js'
import { median, percentile, table } from './workers/statistics.js'

// Queries per second of the resolver, which checks and logs each one, compared with servers that have the same names and log
// nothing. They take turns in one run, so that noise on the machine affects all of them: look at the ratios.

const ROUNDS = 5
const ROUND_S = 2
const NAMES = 500
/** Queries per second for the latency measurement: typical of a busy sandbox, and far below the capacity of each server. */
const CALM = 1_000

interface Candidate {
  readonly name: string
  readonly worker: Worker<number>
  readonly speeds: number[]
  readonly latencies: number[]
}

const dnsperf = findProgram('dnsperf')
if (dnsperf === null) {
  process.stderr.write(
    'bench:dns: dnsperf is not installed\n  Install it (Debian: apt-get install dnsperf)\n',
  )
  process.exit(2)
}

const names = Array.from({ length: NAMES }, (_, index) => `host-${String(index)}.api.example.com`)
const directory = mkdtempSync(join(tmpdir(), 'egress-dns-'))
const questions = join(directory, 'questions')
// One query in ten is for an unlisted name.
const asked = names.flatMap((name, index) => (index % 10 === 0 ? [name, `no-${name}`] : [name]))
writeFileSync(questions, asked.map((name) => `${name} A\n`).join(''))

async function run(port: number, args: readonly string[]): Promise<string> {
  const all = ['-s', '127.0.0.1', '-p', String(port), '-d', questions, '-l', String(ROUND_S), ...args]
  const { stdout } = await promisify(execFile)(dnsperf ?? '', all, { maxBuffer: 1e9 })
  return stdout
}

async function measure({ worker, speeds, latencies }: Candidate): Promise<void> {
  const fast = await run(worker.ready, ['-q', '64', '-c', '8'])
  speeds.push(Number(/Queries per second:\s+([\d.]+)/.exec(fast)?.[1]))
  const calm = await run(worker.ready, ['-Q', String(CALM), '-v'])
  for (const [, seconds] of calm.matchAll(/^> [A-Z]+ \S+ A ([\d.]+)$/gm))
    latencies.push(Number(seconds) * 1000)
}

const started = [
  { name: 'gateway', worker: await startWorker<number>('dns-gateway', ['gateway', ...names]) },
  { name: 'egress serve', worker: await startWorker<number>('dns-gateway', ['serve', ...names]) },
  { name: 'dnsmasq', worker: await startDnsmasq(names) },
  { name: 'unbound, one thread', worker: await startUnbound(names) },
]
const candidates = started.flatMap(({ name, worker }): Candidate[] =>
  worker === null ? [] : [{ name, worker, speeds: [], latencies: [] }],
)
try {
  for (const { worker } of candidates) await run(worker.ready, ['-q', '64'])
  for (let round = 0; round < ROUNDS; round += 1) for (const candidate of candidates) await measure(candidate)
} finally {
  await Promise.all(candidates.map(({ worker }) => worker.stop()))
  rmSync(directory, { recursive: true })
}
const base = candidates.find(({ name }) => name === 'dnsmasq')
const rows = candidates.map(({ name, speeds, latencies }) => {
  const sorted = Float64Array.from(latencies).sort()
  return [
    name,
    median(speeds).toFixed(0),
    base === undefined ? '' : (median(speeds) / median(base.speeds)).toFixed(2),
    percentile(sorted, 0.5).toFixed(3),
    percentile(sorted, 0.99).toFixed(3),
  ]
})
process.stdout.write(
  `${String(NAMES)} names, one query in ten for an unlisted one; medians of ${String(ROUNDS)} rounds; latency at ${String(CALM)} queries/s\n`,
)
process.stdout.write(table(['', 'queries/s', 'ratio', 'p50 ms', 'p99 ms'], rows))
for (const { name, worker } of started)
  if (worker === null) process.stdout.write(`${name} is not installed: skipped\n`)
