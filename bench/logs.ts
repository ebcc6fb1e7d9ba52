import { spawn } from 'node:child_process'
import { createWriteStream, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { closeLine, decisionLine } from '#src/events/records.js'
import { hashOf } from '#src/audit/chain.js'
import type { HttpClose, HttpDecision } from '#proxy/contracts/events.js'

// How fast `egress logs` reads: MiB a second and the most memory, over a log of the given size (MiB; default 256).
//
//     node dist/bench/logs.js 1024

const MAIN = fileURLToPath(new URL('../src/main.js', import.meta.url))
const MIB = 1_048_576

async function writeLog(file: string, atLeast: number): Promise<number> {
  const out = createWriteStream(file)
  let previous: string | null = null
  for (let sequence = 0, written = 0; written < atLeast; sequence += 1) {
    const at = Date.UTC(2026, 0, 1) + sequence
    const header = { time: new Date(at).toISOString(), sequence, observer: 'gateway-bench', previous }
    const line =
      sequence % 2 === 0
        ? decisionLine(header, decisionEvent(sequence, at))
        : closeLine(header, closeEvent(sequence - 1, at))
    previous = hashOf(line)
    written += line.length + 1
    if (!out.write(`${line}\n`)) await once(out, 'drain')
  }
  out.end()
  await once(out, 'finish')
  return statSync(file).size
}

const SANDBOX = { id: 'sb-0123456789', agent: 'default', labels: ['task=123'] }

function decisionEvent(number: number, at: number): HttpDecision {
  const isDenied = number % 20 === 0
  return {
    ...{ at, id: idOf(number), sandbox: SANDBOX, peer: { address: '10.231.0.12', port: 40_000 } },
    ...{ listener: 'forward', kind: 'request', method: 'GET', scheme: 'https', port: 443 },
    ...{
      host: `host-${String(number % 50)}.example`,
      path: `/rest/api/3/issue/${String(number)}`,
      query: null,
    },
    verdict: isDenied ? 'deny' : 'allow',
    reason: isDenied ? 'no-rule' : null,
    ...{ detail: null, rule: 'services.jira.rules[0]', status: isDenied ? 403 : null },
    ...{ service: 'jira', credential: isDenied ? null : 'jira/bearer', address: '203.0.113.7' },
  }
}

function closeEvent(number: number, at: number): HttpClose {
  return {
    ...{
      at,
      id: idOf(number),
      sandbox: SANDBOX,
      host: `host-${String(number % 50)}.example`,
      service: 'jira',
    },
    ...{ credential: 'jira/bearer', outcome: 'success', reason: null, detail: null, status: 200 },
    ...{ requestBytes: 0, responseBytes: 1234 + (number % 1000), durationMs: number % 700, redactions: [] },
  }
}

const idOf = (number: number): string => `00000000-0000-4000-8000-${number.toString(16).padStart(12, '0')}`

async function measure(
  words: readonly string[],
): Promise<{ seconds: number; processor: number; peak: number }> {
  const started = performance.now()
  const child = spawn(process.execPath, [MAIN, ...words], { stdio: 'ignore' })
  let peak = 0
  let ticks = 0
  const timer = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${String(child.pid)}/status`, 'utf8')
      const stat = readFileSync(`/proc/${String(child.pid)}/stat`, 'utf8').split(' ')
      ticks = Number(stat[13]) + Number(stat[14])
      peak = Math.max(peak, Number(/VmHWM:\s*(\d+)/.exec(status)?.[1] ?? 0))
    } catch {
      // It has ended.
    }
  }, 20)
  await once(child, 'exit')
  clearInterval(timer)
  return { seconds: (performance.now() - started) / 1000, processor: ticks / 100, peak }
}

const size = Number(process.argv[2] ?? 256) * MIB
const directory = mkdtempSync(join(tmpdir(), 'egress-bench-'))
try {
  const bytes = await writeLog(join(directory, 'http.ndjson'), size)
  const rows: readonly (readonly [what: string, words: string[]])[] = [
    ['filter by host, few lines', ['logs', '--host', 'host-7.example', '--reason', 'no-rule']],
    ['filter by time, none', ['logs', '--since', '2030-01-01']],
    ['denied, all lines read', ['logs', '--denied', '--tail', '10']],
    ['stats', ['logs', 'stats']],
    ['verify', ['logs', 'verify', '--open']],
  ]
  for (const [what, words] of rows) {
    const { seconds, processor, peak } = await measure([...words, '--audit-dir', directory])
    const speed = (of: number) => (bytes / MIB / of).toFixed(0).padStart(5)
    const memory = (peak / 1024).toFixed(0).padStart(5)
    console.log(
      `${what.padEnd(28)} ${speed(seconds)} MiB/s  ${speed(processor)} MiB/s of processor time ${memory} MiB`,
    )
  }
} finally {
  rmSync(directory, { recursive: true, force: true })
}
