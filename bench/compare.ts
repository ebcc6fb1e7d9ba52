import { cpus } from 'node:os'
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { ROWS } from './rows/index.js'
import type { BenchOptions, BenchRow, Contender, Outcome } from './rows/row.js'
import { processorTime } from './workers/http2-programs.js'
import { versions } from './workers/peers.js'
import { printStartTable } from './workers/start-table.js'
import { median, table } from './workers/statistics.js'

// How the gateway compares, in one table of one run: npm run bench [-- --rows http,tls --rounds 3 --iron PATH]. Programs take turns,
// so that noise on the machine meets all of them. What noise cannot hide is the processor time of each request.

const WARM_UP_ROUNDS = 1

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: [...ROWS.map(({ id }) => id), 'start'].join() },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '2' },
    iron: { type: 'string' },
  },
})
const rounds = Number(values.rounds)
const options: BenchOptions = { iron: values.iron ?? null, roundMs: Number(values.seconds) * 1_000 }
const wanted = values.rows.split(',')

interface Round extends Outcome {
  /** Microseconds of processor time for each operation. */
  readonly cost: number
}

async function measure(contender: Contender): Promise<Round> {
  const before = processorTime(contender.pid)
  const outcome = await contender.run()
  return { ...outcome, cost: ((processorTime(contender.pid) - before) * 1e6) / outcome.operations }
}

/** MiB that a process had at its most. */
function peakOf(pid: number): number {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'))?.[1]) / 1024
}

async function play(row: BenchRow): Promise<void> {
  const contest = await row.open(options)
  const { contenders, missing } = contest
  const results = new Map<Contender, Round[]>(contenders.map((one) => [one, []]))
  const peaks = new Map<Contender, number>()
  try {
    const times = row.rounds ?? rounds
    for (let round = row.rounds === undefined ? -WARM_UP_ROUNDS : 0; round < times; round += 1)
      for (const contender of contenders) {
        const result = await measure(contender)
        if (round >= 0) results.get(contender)?.push(result)
      }
    for (const contender of contenders) peaks.set(contender, peakOf(contender.pid))
  } finally {
    await contest.stop()
  }
  const middle = (one: Contender | undefined, pick: (round: Round) => number | null) =>
    median((one === undefined ? [] : (results.get(one) ?? [])).map((round) => pick(round) ?? NaN))
  const [ours] = contenders
  const show = (value: number, digits: number) => (Number.isNaN(value) ? '' : value.toFixed(digits))
  const lines = contenders.map((one) => {
    const [speed, cost] = [middle(one, ({ perSecond }) => perSecond), middle(one, (round) => round.cost)]
    const errors = (results.get(one) ?? []).reduce((sum, round) => sum + round.errors, 0)
    return [
      `  ${one.name}`,
      show(speed, 0),
      show(speed / middle(ours, ({ perSecond }) => perSecond), 2),
      show(cost, cost < 10 ? 1 : 0),
      show(cost / middle(ours, (round) => round.cost), 2),
      show(
        middle(one, ({ p50 }) => p50),
        2,
      ),
      show(
        middle(one, ({ p99 }) => p99),
        2,
      ),
      show(peaks.get(one) ?? NaN, 0),
      errors === 0 ? '' : String(errors),
    ]
  })
  const head = [
    row.title,
    row.unit,
    'ratio',
    'CPU µs each',
    'ratio',
    'p50 ms',
    'p99 ms',
    'peak MiB',
    'errors',
  ]
  process.stdout.write(`\n${table(head, lines)}`)
  for (const line of missing) process.stdout.write(`  ${line}\n`)
}

const model = cpus()[0]?.model ?? 'an unknown processor'
process.stdout.write(
  `${String(cpus().length)} × ${model}, Node.js ${process.version}; ${versions().join(', ')}\n`,
)
for (const row of ROWS) {
  if (!wanted.includes(row.id)) continue
  try {
    await play(row)
  } catch (error) {
    // The others are worth having.
    process.stdout.write(
      `\n${row.title}\n  failed: ${error instanceof Error ? error.message : String(error)}\n`,
    )
    process.exitCode = 1
  }
}
if (wanted.includes('start')) {
  process.stdout.write('\nA sandbox with nothing to do, from start to end\n')
  await printStartTable(rounds, 'agent-egress-sandbox:local')
}
process.exit()
