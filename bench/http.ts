import { measureStreams } from './workers/http2-memory.js'
import { compareHttp2 } from './workers/http2-rows.js'
import type { LoadOutcome } from './workers/bench-load.js'
import { startNginx } from './workers/nginx.js'
import { startWorker, type Worker } from './workers/processes.js'
import { runLoad } from './workers/stage.js'
import { measureImports, measureStartUp } from './workers/startup.js'
import { median, table } from './workers/statistics.js'

// Requests per second through the gateway, compared with proxies that check and log nothing, and the time to start a run.
// They take turns in one run, so that noise on the machine affects all of them: look at the ratios.
//
//     npm run bench:http [-- proxies,http2,streams,start]

const ROUNDS = 9
const ROUND_MS = 2_000
const WARM_UP_MS = 2_000
const CONNECTIONS = 32

interface Candidate {
  readonly name: string
  readonly worker: Worker<unknown>
  readonly port: number
  readonly path: string
}

const load = (port: number, target: string, milliseconds: number) =>
  runLoad({ port, target, host: `127.0.0.1:${String(port)}`, connections: CONNECTIONS, milliseconds })

async function compareProxies(): Promise<void> {
  const upstream = await startWorker<number>('http-servers', ['upstream'])
  const upstreamPort = String(upstream.ready)
  const gateway = await startWorker<number>('http-servers', ['gateway', upstreamPort])
  const serve = await startWorker<number>('http-servers', ['serve', upstreamPort])
  const httpProxy = await startWorker<number>('http-servers', ['http-proxy', upstreamPort])
  const nginx = await startNginx(upstream.ready)
  const candidate = (name: string, worker: Worker<number>, path = '/v1/items?page=1'): Candidate => ({
    ...{ name, worker, path },
    port: worker.ready,
  })
  const candidates = [
    candidate('gateway, base-URL listener', gateway, '/api/v1/items?page=1'),
    candidate('egress serve, base-URL listener', serve, '/api/v1/items?page=1'),
    candidate('http-proxy', httpProxy),
    ...(nginx === null ? [] : [candidate('nginx, one worker', { ...nginx, ready: nginx.ready.http1 })]),
    candidate('no proxy', upstream),
  ]
  const results = new Map<string, LoadOutcome[]>(candidates.map(({ name }) => [name, []]))
  try {
    for (const { port, path } of candidates) await load(port, path, WARM_UP_MS)
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const { name, port, path } of candidates) {
        results.get(name)?.push(await load(port, path, ROUND_MS))
      }
    }
  } finally {
    await Promise.all(candidates.map(({ worker }) => worker.stop()))
  }
  const middle = (name: string, pick: (result: LoadOutcome) => number) =>
    median((results.get(name) ?? []).map(pick))
  const base = middle('http-proxy', (result) => result.perSecond)
  const rows = candidates.map(({ name }) => {
    const speed = middle(name, (result) => result.perSecond)
    return [
      name,
      speed.toFixed(0),
      (speed / base).toFixed(2),
      middle(name, ({ p50 }) => p50).toFixed(1),
      middle(name, ({ p99 }) => p99).toFixed(1),
      String((results.get(name) ?? []).reduce((sum, { errors }) => sum + errors, 0)),
    ]
  })
  const setting = `${String(CONNECTIONS)} connections, 1 KiB responses, medians of ${String(ROUNDS)} rounds`
  process.stdout.write(`Requests, ${setting}\n`)
  process.stdout.write(table(['', 'requests/s', 'ratio', 'p50 ms', 'p99 ms', 'errors'], rows))
  if (nginx === null) process.stdout.write('nginx is not installed: skipped\n')
}

async function timeStart(): Promise<void> {
  process.stdout.write('\nStart of `sandbox-run -- command` with namespaces, median of 10\n')
  const start = await measureStartUp(10)
  if (start === null) process.stdout.write('This machine cannot build a sandbox: skipped\n')
  else {
    const rows = [
      ["to the agent's first instruction", start.toAgent.toFixed(0)],
      ['to the end', start.toExit.toFixed(0)],
    ]
    process.stdout.write(table(['', 'ms'], rows))
  }
  process.stdout.write('\nProcessor time of imports, each alone, median of 3\n')
  const imports = await measureImports(3)
  process.stdout.write(
    table(
      ['', 'ms'],
      imports.map(([name, time]) => [name, time.toFixed(0)]),
    ),
  )
}

const PARTS: Readonly<Record<string, () => Promise<void>>> = {
  proxies: compareProxies,
  http2: compareHttp2,
  streams: measureStreams,
  start: timeStart,
}

for (const part of process.argv[2]?.split(',') ?? Object.keys(PARTS)) await PARTS[part]?.()
