import { Agent, get } from 'node:http'
import { startWorker } from './workers/processes.js'
import { median, table } from './workers/statistics.js'

// Whether a sandbox that measures how long responses take can tell two secrets of the same shape apart. It does not know the
// secret of the gateway; it has the service send bodies made of the first characters of one candidate or of the other, of
// which one is right, and compares. Half of the responses train a threshold, the other half are classified by it.

const ANSWERS = 10_000
/** Characters of the candidate, of forty, that a body has. */
const KNOWN = [4, 12, 20]

const agent = new Agent({ keepAlive: true, maxSockets: 1 })

function time(port: number, path: string): Promise<number> {
  const begin = process.hrtime.bigint()
  return new Promise((resolve, reject) => {
    get({ port, path, agent, host: '127.0.0.1' }, (response) => {
      response.resume()
      response.on('end', () => resolve(Number(process.hrtime.bigint() - begin) / 1e3))
      response.on('error', reject)
    }).on('error', reject)
  })
}

/** The share of the second half that a threshold, the middle of the medians of the first half, puts on the right side. */
function accuracy(right: readonly number[], wrong: readonly number[]): number {
  const half = right.length / 2
  const [a, b] = [median(right.slice(0, half)), median(wrong.slice(0, half))]
  const isRight = (value: number) => value > (a + b) / 2 === a > b
  const hits =
    right.slice(half).filter(isRight).length + wrong.slice(half).filter((value) => !isRight(value)).length
  return hits / (2 * half)
}

const upstream = await startWorker<{ port: number; ca: string }>('redact-servers', ['upstream'])
const { port, ca } = upstream.ready
const gateway = await startWorker<readonly number[]>('redact-servers', [
  'gateway',
  String(port),
  Buffer.from(ca).toString('base64'),
  'timing',
])
const SECRET = 'ghp_Zq7aB3xY9kLmNoPqRsTuVwXyZ0123456789a'
const OTHER = 'ghp_Kd2mQ8vT4hWnCyEjGpLsRfXbU1604973285z'
try {
  const [listener = 0] = gateway.ready
  const rows: string[][] = []
  for (const known of KNOWN) {
    const path = (secret: string) => `/bench/said/${secret.slice(0, known)}`
    const [right, wrong]: [number[], number[]] = [[], []]
    for (let i = -200; i < ANSWERS / 2; i += 1)
      for (const [secret, times] of i % 2 === 0
        ? ([
            [SECRET, right],
            [OTHER, wrong],
          ] as const)
        : ([
            [OTHER, wrong],
            [SECRET, right],
          ] as const)) {
        const took = await time(listener, path(secret))
        if (i >= 0) times.push(took)
      }
    rows.push([
      String(known),
      median(right).toFixed(1),
      median(wrong).toFixed(1),
      `${(accuracy(right, wrong) * 100).toFixed(1)} %`,
    ])
  }
  // Three standard deviations of as many tosses of a coin as responses are classified.
  const chance = (300 * Math.sqrt(0.25 / (ANSWERS / 2))).toFixed(1)
  process.stdout.write(
    `Bodies of 64 KiB made of the first characters of a secret, ${String(ANSWERS)} responses each; µs, medians, and how many were told ` +
      `apart (chance: 50 % ± ${chance})\n`,
  )
  process.stdout.write(table(['characters', 'right', 'wrong', 'told apart'], rows))
} finally {
  agent.destroy()
  await Promise.all([gateway.stop(), upstream.stop()])
}
