import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createCa } from '#test/servers/certificate-authority.js'
import type { OpenStreams } from './http2-streams.js'
import { runWorker, startWorker } from './processes.js'
import { table } from './statistics.js'

// Resident memory of a gateway that has 1,000 streams open, each in a state in which it stays.

const STATES = [
  { path: '/v1/waiting', reads: 'reads', name: 'waiting for the response' },
  { path: '/v1/streaming', reads: 'reads', name: 'in the middle of the response' },
  { path: '/v1/unread', reads: 'waits', name: 'the client does not read, the upstream goes on' },
]

/** Prints the table; the gateway is started anew for each row. */
export async function measureStreams(): Promise<void> {
  const authority = await createCa('http bench')
  const { key, cert } = await authority.issue(['api.example'])
  const directory = mkdtempSync(join(tmpdir(), 'egress-http2-'))
  const write = (name: string, text: string) => {
    const path = join(directory, name)
    writeFileSync(path, text, { mode: 0o600 })
    return path
  }
  const [ca, keyFile, certFile] = [write('ca', authority.pem), write('key', key), write('cert', cert)]
  const rows: string[][] = []
  try {
    for (const { path, reads, name } of STATES) {
      rows.push([
        `${name}, HTTP/1.1 upstream`,
        ...(await measure([], ['serve'], ['http', `http://x/api${path}`, reads])),
      ])
      rows.push([
        `${name}, HTTP/2 and TLS on both sides`,
        ...(await measure(
          [keyFile, certFile],
          ['serve-tls', ca],
          ['https', `https://api.example${path}`, reads],
        )),
      ])
    }
  } finally {
    rmSync(directory, { recursive: true })
  }
  process.stdout.write('\nResident memory with 1,000 streams, of four sandboxes\n')
  process.stdout.write(table(['', 'open', 'idle MiB', 'peak MiB'], rows))
}

async function measure(
  upstreamArgs: readonly string[],
  [role = '', ...gatewayArgs]: readonly string[],
  [scheme = '', ...clientArgs]: readonly string[],
): Promise<string[]> {
  const upstream = await startWorker<number>('holding-server', upstreamArgs)
  const gateway = await startWorker<number>('http-servers', [role, String(upstream.ready), ...gatewayArgs])
  try {
    const idle = memoryOf(gateway.pid, 'VmRSS')
    const { open } = await runWorker<OpenStreams>('http2-streams', [
      scheme,
      String(gateway.ready),
      ...clientArgs,
    ])
    return [String(open), idle.toFixed(0), memoryOf(gateway.pid, 'VmHWM').toFixed(0)]
  } finally {
    await gateway.stop()
    await upstream.stop()
  }
}

/** MiB, of a field of proc_pid_status(5). */
function memoryOf(pid: number, field: string): number {
  const status = readFileSync(`/proc/${String(pid)}/status`, 'utf8')
  return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1]) / 1024
}
