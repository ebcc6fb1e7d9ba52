import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createCa } from '#test/servers/certificate-authority.js'
import {
  findH2load,
  processorTime,
  runH2load,
  startNghttpd,
  startNghttpx,
  type Load,
  type LoadOutcome,
} from './http2-programs.js'
import { startNginx } from './nginx.js'
import { startWorker, type Worker } from './processes.js'
import { median, table } from './statistics.js'

// Requests in HTTP/2 beside the same gateway's in HTTP/1.1, and beside proxies that check and log nothing. Processor time is that of
// the proxy alone: unlike requests per second, it says the same on a machine that is busy.

const ROUNDS = 5
const SECONDS = 2
const HOST = 'api.example'
const BODY_BYTES = 1_024

interface Row {
  readonly name: string
  readonly pid: number
  readonly load: Load
}

interface Measured extends LoadOutcome {
  /** Microseconds. */
  readonly processorPerRequest: number
}

/** The same number of requests at once as in HTTP/1.1, and four times as many. */
const SHAPES: readonly Pick<Load, 'connections' | 'streams'>[] = [
  { connections: 32, streams: null },
  { connections: 4, streams: 8 },
  { connections: 4, streams: 32 },
]

/** Prints both tables; says what is missing where a program is not installed. */
export async function compareHttp2(): Promise<void> {
  const h2load = findH2load()
  if (h2load === null) {
    process.stdout.write('\nh2load is not installed: no rows for HTTP/2\n')
    return
  }
  await comparePlain(h2load)
  await compareTls(h2load)
}

/** To the upstream of the other rows, which speaks HTTP/1.1. */
async function comparePlain(h2load: string): Promise<void> {
  const upstream = await startWorker<number>('http-servers', ['upstream'])
  const gateway = await startWorker<number>('http-servers', ['serve', String(upstream.ready)])
  const nginx = await startNginx(upstream.ready)
  const nghttpx = await startNghttpx({ upstreamPort: upstream.ready, tls: null })
  const path = '/v1/items?page=1'
  const url = (port: number, before = '') => `http://127.0.0.1:${String(port)}${before}${path}`
  const rowsOf = (name: string, pid: number, http1: number, http2: number, before?: string) =>
    SHAPES.map((shape) => {
      const port = shape.streams === null ? http1 : http2
      return { name: nameOf(name, shape), pid, load: { ...shape, port, url: url(port, before) } }
    })
  const rows = rowsOf('egress serve', gateway.pid, gateway.ready, gateway.ready, '/api')
  if (nginx !== null) rows.push(...rowsOf('nginx', nginx.pid, nginx.ready.http1, nginx.ready.http2))
  if (nghttpx !== null) rows.push(...rowsOf('nghttpx', nghttpx.pid, nghttpx.ready, nghttpx.ready))
  try {
    await compare('HTTP/2 to an upstream of HTTP/1.1, without TLS', h2load, rows)
  } finally {
    await stopAll([upstream, gateway, nginx, nghttpx])
  }
}

/** From end to end, as most of it is: TLS and HTTP/2 on both sides. */
async function compareTls(h2load: string): Promise<void> {
  const authority = await createCa('http bench')
  const tls = { authority, host: HOST }
  const upstream = await startNghttpd(tls, BODY_BYTES)
  if (upstream === null) {
    process.stdout.write('\nnghttpd is not installed: no rows for HTTP/2 with TLS\n')
    return
  }
  const directory = mkdtempSync(join(tmpdir(), 'egress-http2-'))
  const ca = join(directory, 'ca.pem')
  writeFileSync(ca, authority.pem)
  const gateway = await startWorker<number>('http-servers', ['serve-tls', String(upstream.ready), ca])
  const nghttpx = await startNghttpx({ upstreamPort: upstream.ready, tls })
  const rowsOf = (name: string, { pid, ready: port }: Worker<number>) =>
    SHAPES.map((shape) => ({
      name: nameOf(name, shape),
      pid,
      load: { ...shape, port, url: `https://${HOST}/v1/items` },
    }))
  const rows = rowsOf('egress serve', gateway)
  if (nghttpx !== null) rows.push(...rowsOf('nghttpx', nghttpx))
  try {
    await compare('HTTP/2 to an upstream of HTTP/2, with TLS on both sides', h2load, rows)
  } finally {
    await stopAll([upstream, gateway, nghttpx])
    rmSync(directory, { recursive: true })
  }
}

function nameOf(proxy: string, { connections, streams }: Pick<Load, 'connections' | 'streams'>): string {
  const many = String(connections)
  return streams === null
    ? `${proxy}, HTTP/1.1, ${many} connections`
    : `${proxy}, HTTP/2, ${many} connections of ${String(streams)} streams`
}

async function compare(title: string, h2load: string, rows: readonly Row[]): Promise<void> {
  const results = new Map<Row, Measured[]>(rows.map((row) => [row, []]))
  for (const { load } of rows) await runH2load(h2load, load, SECONDS)
  for (let round = 0; round < ROUNDS; round += 1)
    for (const row of rows) results.get(row)?.push(await measure(h2load, row))
  const middle = (row: Row | undefined, key: keyof Measured) =>
    median((row === undefined ? [] : (results.get(row) ?? [])).map((measured) => measured[key]))
  const base = middle(rows[0], 'requestsPerSecond')
  process.stdout.write(`\n${title}, medians of ${String(ROUNDS)} rounds\n`)
  process.stdout.write(
    table(
      ['', 'requests/s', 'ratio', 'µs of CPU per request', 'errors'],
      rows.map((row) => {
        const speed = middle(row, 'requestsPerSecond')
        const errors = (results.get(row) ?? []).reduce((sum, measured) => sum + measured.errors, 0)
        const processor = middle(row, 'processorPerRequest').toFixed(0)
        return [row.name, speed.toFixed(0), (speed / base).toFixed(2), processor, String(errors)]
      }),
    ),
  )
}

async function measure(h2load: string, { pid, load }: Row): Promise<Measured> {
  const before = processorTime(pid)
  const outcome = await runH2load(h2load, load, SECONDS)
  return { ...outcome, processorPerRequest: ((processorTime(pid) - before) * 1e6) / outcome.requests }
}

async function stopAll(workers: readonly (Worker<unknown> | null)[]): Promise<void> {
  for (const worker of workers) await worker?.stop()
}
