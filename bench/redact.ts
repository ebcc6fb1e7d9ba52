import { Agent, get } from 'node:http'
import { startWorker } from './workers/processes.js'
import { median, percentile, table } from './workers/statistics.js'

// The cost of redaction: the same responses through gateways without a credential and with 1, 10 and 100 secrets, from a TLS
// upstream. They take turns, so that noise on the machine affects all of them: look at the ratios.

const SECRETS = [0, 1, 10, 100]
const KINDS = ['json', 'log', 'binary']
const BYTES = 64 * 2 ** 20
const ROUNDS = 9
const STREAMS = 200
const EVENTS = 400

const agent = new Agent({ keepAlive: true, maxSockets: 8 })

/** Calls `onData` for each piece of a response; resolves at its end. */
function fetchAll(port: number, path: string, onData: (chunk: Buffer) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    get({ port, path, agent, host: '127.0.0.1' }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`status ${String(response.statusCode)}`))
      response.on('data', onData)
      response.on('end', resolve)
      response.on('error', reject)
    }).on('error', reject)
  })
}

/** MB/s. */
async function throughput(port: number, kind: string): Promise<number> {
  let bytes = 0
  const begin = performance.now()
  await fetchAll(port, `/bench/body/${kind}/${String(BYTES)}`, (chunk) => (bytes += chunk.length))
  if (bytes !== BYTES) throw new Error(`${String(bytes)} bytes arrived`)
  return bytes / 1e3 / (performance.now() - begin)
}

async function compareThroughput(ports: readonly number[]): Promise<void> {
  const rows: string[][] = []
  for (const kind of KINDS) {
    const results = SECRETS.map((): number[] => [])
    for (let round = -1; round < ROUNDS; round += 1) {
      for (const [i, port] of ports.entries()) {
        const speed = await throughput(port, kind)
        if (round >= 0) results[i]?.push(speed)
      }
    }
    const base = results[0] ?? []
    rows.push([
      kind,
      median(base).toFixed(0),
      ...results
        .slice(1)
        .flatMap((speeds) => [
          median(speeds).toFixed(0),
          median(speeds.map((speed, round) => (base[round] ?? NaN) / speed)).toFixed(2),
        ]),
    ])
  }
  process.stdout.write(
    `MB/s of one response of 64 MiB, and the time relative to no credential; medians of ${String(ROUNDS)} rounds\n`,
  )
  process.stdout.write(
    table(
      ['', 'no credential', ...SECRETS.slice(1).flatMap((count) => [`${String(count)} secrets`, 'times'])],
      rows,
    ),
  )
}

async function compareEvents(ports: readonly number[]): Promise<void> {
  const first = SECRETS.map((): number[] => [])
  const delays = SECRETS.map((): number[] => [])
  for (let stream = 0; stream < STREAMS; stream += 1) {
    for (const [i, port] of ports.entries()) {
      const begin = performance.now()
      let took = -1
      await fetchAll(port, '/bench/events/1', () => {
        if (took < 0) took = performance.now() - begin
      })
      first[i]?.push(took)
    }
  }
  await Promise.all(
    ports.map((port, i) => {
      let open = ''
      return fetchAll(port, `/bench/events/${String(EVENTS)}`, (chunk) => {
        const now = process.hrtime.bigint()
        const events = (open + chunk.toString()).split('\n\n')
        open = events.pop() ?? ''
        for (const event of events) {
          const at = /"at":"(\d+)"/.exec(event)?.[1] ?? '0'
          delays[i]?.push(Number(now - BigInt(at)) / 1e6)
        }
      })
    }),
  )
  const rows = SECRETS.map((count, i) => {
    const sorted = (values: readonly number[] = []) => Float64Array.from(values).sort()
    return [
      count === 0 ? 'no credential' : `${String(count)} secrets`,
      ...[first[i], delays[i]].flatMap((values) => [
        percentile(sorted(values), 0.5).toFixed(2),
        percentile(sorted(values), 0.99).toFixed(2),
      ]),
    ]
  })
  process.stdout.write(
    `\nEvent streams, ms: from the request to the first byte (${String(STREAMS)} streams), and from the upstream's write of ` +
      `an event to its arrival (${String(EVENTS)} events)\n`,
  )
  process.stdout.write(table(['', 'first byte p50', 'p99', 'event p50', 'p99'], rows))
}

const upstream = await startWorker<{ port: number; ca: string }>('redact-servers', ['upstream'])
const { port, ca } = upstream.ready
const gateway = await startWorker<readonly number[]>('redact-servers', [
  'gateway',
  String(port),
  Buffer.from(ca).toString('base64'),
  SECRETS.join(),
])
try {
  await compareThroughput(gateway.ready)
  await compareEvents(gateway.ready)
} finally {
  agent.destroy()
  await Promise.all([gateway.stop(), upstream.stop()])
}
