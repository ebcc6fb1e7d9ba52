import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { createCa } from '#test/servers/certificate-authority.js'
import { listen, portOf } from './workers/gateway.js'
import { table } from './workers/statistics.js'

// The gateway's resident memory while an agent in a sandbox moves 1 GiB in each direction, with a credential, through the
// base-URL listener, to and from a TLS upstream. Measures the processes that `sandbox-run` starts, from outside.

const ROUNDS = 5
const BYTES = 1024 ** 3
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const HOST = 'storage.example'
const CHUNK = Buffer.alloc(64 * 1024, 'x')

/** Each line reports the end of one phase. */
const AGENT = `
set -e -o pipefail
sleep 1; echo idle
head -c ${String(BYTES)} /dev/zero | curl -sSf -T - http://egress:9199/storage/up; echo up
curl -sSf -o /dev/null http://egress:9199/storage/down; echo down
`

const authority = await createCa('memory bench')
const upstream = createServer(await authority.issue([HOST]), (request, response) => {
  if (request.url === '/down') {
    response.writeHead(200, { 'content-length': BYTES })
    void sendAll(response)
    return
  }
  request.resume()
  request.on('end', () => response.end())
})
await listen(upstream)

const directory = mkdtempSync(join(tmpdir(), 'egress-memory-'))
// If root starts it, the sandbox has another user.
chmodSync(directory, 0o755)
writeFileSync(join(directory, 'ca.pem'), authority.pem)
writeFileSync(
  join(directory, 'egress.yaml'),
  `services:
  storage:
    url: https://${HOST}
    credential: { bearer: "\${STORAGE_TOKEN}" }
    rules: [{ allow: "GET,PUT /**" }]
    allow_private_addresses: true
    ca: ./ca.pem
upstream:
  hosts: { ${HOST}: "127.0.0.1:${String(portOf(upstream))}" }
`,
)
try {
  const rows: string[][] = []
  for (let round = 1; round <= ROUNDS; round += 1) rows.push([`run ${String(round)}`, ...(await measure())])
  process.stdout.write("Peaks of the gateway's resident memory in MiB, and seconds for 1 GiB\n")
  process.stdout.write(table(['', 'idle', 'up', 'down', 'up s', 'down s'], rows))
} finally {
  upstream.closeAllConnections()
  upstream.close()
  rmSync(directory, { recursive: true })
}

async function sendAll(response: ServerResponse): Promise<void> {
  for (let sent = 0; sent < BYTES && !response.destroyed; sent += CHUNK.length)
    if (!response.write(CHUNK)) await once(response, 'drain')
  response.end()
}

async function measure(): Promise<string[]> {
  const gateway = spawn(join(ROOT, 'sandbox-run'), ['--', 'bash', '-c', AGENT], {
    cwd: directory,
    env: {
      PATH: process.env['PATH'],
      HOME: directory,
      EGRESS_BACKEND: 'namespaces',
      STORAGE_TOKEN: 'ghp_TokenOfTheBenchmark0123456789abcdefgh',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const peaks: string[] = []
  const seconds: string[] = []
  let last = Date.now()
  for await (const line of createInterface(gateway.stdout)) {
    const status = readFileSync(`/proc/${String(gateway.pid)}/status`, 'utf8')
    peaks.push((Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024).toFixed(1))
    if (line !== 'idle') seconds.push(((Date.now() - last) / 1000).toFixed(1))
    last = Date.now()
    // Resets the peak (proc(5), clear_refs).
    writeFileSync(`/proc/${String(gateway.pid)}/clear_refs`, '5')
  }
  if (peaks.length < 3) throw new Error('The agent did not finish')
  return [...peaks, ...seconds]
}
