import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { CertificateAuthority } from '#test/servers/certificate-authority.js'
import { findProgram } from './find-program.js'
import { freePort } from '#test/servers/free-port.js'
import { untilOpen } from './nginx.js'
import type { Worker } from './processes.js'

// The programs of nghttp2: h2load, nghttpx and nghttpd (Debian: nghttp2-client, nghttp2-proxy, nghttp2-server).

/** A load that h2load makes. */
export interface Load {
  readonly url: string
  /** Where it is sent, whatever host the URL has. */
  readonly port: number
  readonly connections: number
  /** Streams of each connection; null for HTTP/1.1. */
  readonly streams: number | null
}

export interface LoadOutcome {
  readonly requests: number
  readonly requestsPerSecond: number
  /** Requests without a response, and responses other than 2xx. */
  readonly errors: number
}

/** Null where h2load is not installed. */
export function findH2load(): string | null {
  return findProgram('h2load')
}

export async function runH2load(program: string, load: Load, seconds: number): Promise<LoadOutcome> {
  const version = load.streams === null ? ['--h1'] : ['-m', String(load.streams)]
  const { stdout } = await promisify(execFile)(program, [
    ...version,
    ...['-c', String(load.connections), '-D', String(seconds)],
    ...['--connect-to', `127.0.0.1:${String(load.port)}`, load.url],
  ])
  const number = (pattern: RegExp) => Number(pattern.exec(stdout)?.[1])
  return {
    requests: number(/(\d+) succeeded/),
    requestsPerSecond: number(/, ([\d.]+) req\/s/),
    errors: number(/(\d+) failed/) + number(/(\d+) 3xx/) + number(/(\d+) 4xx/) + number(/(\d+) 5xx/),
  }
}

interface Ends {
  /** To the upstream, by TLS and HTTP/2 where there is an authority. */
  readonly upstreamPort: number
  /** Of its certificate, which is for this host. */
  readonly tls: { readonly authority: CertificateAuthority; readonly host: string } | null
}

/** nghttpx with one worker and no log; null if it is not installed. */
export async function startNghttpx({ upstreamPort, tls }: Ends): Promise<Worker<number> | null> {
  const program = findProgram('nghttpx')
  if (program === null) return null
  const backend = `--backend=127.0.0.1,${String(upstreamPort)}`
  const quiet = ['--workers=1', '--log-level=ERROR', '--errorlog-file=/dev/null', '--no-ocsp']
  return startServer(program, tls, (port, files) => {
    const frontend = `--frontend=127.0.0.1,${String(port)}`
    return files === null
      ? [...quiet, `${frontend};no-tls`, backend]
      : [
          ...quiet,
          frontend,
          `${backend};;proto=h2;tls;sni=${files.host}`,
          `--cacert=${files.ca}`,
          files.key,
          files.cert,
        ]
  })
}

/** nghttpd, which serves one file as `/v1/items`; null if it is not installed. */
export async function startNghttpd(
  tls: NonNullable<Ends['tls']>,
  bytes: number,
): Promise<Worker<number> | null> {
  const program = findProgram('nghttpd')
  if (program === null) return null
  return startServer(program, tls, (port, files) => {
    if (files === null) return []
    const root = join(files.directory, 'root')
    mkdirSync(join(root, 'v1'), { recursive: true })
    writeFileSync(join(root, 'v1/items'), 'x'.repeat(bytes))
    return ['-d', root, String(port), files.key, files.cert]
  })
}

interface Files {
  readonly directory: string
  readonly host: string
  /** Paths of PEM files. */
  readonly ca: string
  readonly key: string
  readonly cert: string
}

async function startServer(
  program: string,
  tls: Ends['tls'],
  argumentsOf: (port: number, files: Files | null) => string[],
): Promise<Worker<number>> {
  const directory = mkdtempSync(join(tmpdir(), 'egress-nghttp2-'))
  const files = tls === null ? null : await writeIdentity(directory, tls)
  const port = await freePort()
  const child = spawn(program, argumentsOf(port, files), { stdio: ['ignore', 'ignore', 'inherit'] })
  await untilOpen(port)
  return { pid: child.pid ?? 0, ready: port, stop: () => stop(child, directory) }
}

async function writeIdentity(
  directory: string,
  { authority, host }: NonNullable<Ends['tls']>,
): Promise<Files> {
  const identity = await authority.issue([host])
  const write = (name: string, text: string) => {
    const path = join(directory, name)
    writeFileSync(path, text, { mode: 0o600 })
    return path
  }
  return {
    directory,
    host,
    ca: write('ca.pem', authority.pem),
    key: write('key.pem', identity.key),
    cert: write('cert.pem', identity.cert),
  }
}

function stop(child: ChildProcess, directory: string): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => {
      rmSync(directory, { recursive: true, force: true })
      resolve()
    })
    child.kill()
  })
}

/** Seconds of processor time that a process and its children have had. */
export function processorTime(pid: number): number {
  const ticks = (stat: readonly string[]) => Number(stat[11]) + Number(stat[12])
  let total = 0
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const stat = statOf(name)
    if (stat !== null && (Number(name) === pid || Number(stat[1]) === pid)) total += ticks(stat)
  }
  // USER_HZ, which is 100 on Linux.
  return total / 100
}

/** The fields of proc_pid_stat(5) behind the name: state, parent …; null for a process that has ended. */
function statOf(pid: string): readonly string[] | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return null
  }
}
