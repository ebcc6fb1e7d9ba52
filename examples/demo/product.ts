import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

/** The product's real command: the demo has no other way in. */
const EGRESS = fileURLToPath(new URL('../../src/main.js', import.meta.url))

/** Milliseconds that the gate gets to take its sandbox down. */
const GRACE_MS = 3000

export interface SandboxRun {
  readonly policyPath: string
  readonly workPath: string
  /** What the gate alone is told: the real credentials. */
  readonly environment: Readonly<Record<string, string>>
  readonly command: readonly string[]
  /** More flags of `egress run`. */
  readonly flags?: readonly string[]
  readonly signal: AbortSignal
  onLine(line: string): void
}

export interface SandboxResult {
  readonly exitCode: number
  /** All that the sandbox printed. */
  readonly output: string
  /** Milliseconds from the start of the command to the first line from inside; null if there was none. */
  readonly startMs: number | null
}

/** `egress run --policy … --workdir … --write -- command`, to its end. */
export async function runInSandbox(run: SandboxRun): Promise<SandboxResult> {
  run.signal.throwIfAborted()
  const args = [
    'run',
    '--policy',
    run.policyPath,
    '--workdir',
    run.workPath,
    '--write',
    ...(run.flags ?? []),
    '--',
    ...run.command,
  ]
  const started = performance.now()
  const child = spawn(process.execPath, [EGRESS, ...args], {
    env: { ...process.env, ...run.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const stop = (): void => {
    child.kill('SIGTERM')
    void sleep(GRACE_MS, null, { ref: false }).then(() => child.kill('SIGKILL'))
  }
  run.signal.addEventListener('abort', stop, { once: true })
  const lines: string[] = []
  let startMs: number | null = null
  const reader = createInterface({ input: child.stdout })
  reader.on('line', (line) => {
    startMs ??= performance.now() - started
    lines.push(line)
    run.onLine(line)
  })
  child.stderr.on('data', (chunk: Buffer) => {
    lines.push(chunk.toString())
    process.stderr.write(chunk)
  })
  const [exitCode] = (await once(child, 'close')) as [number | null]
  run.signal.removeEventListener('abort', stop)
  run.signal.throwIfAborted()
  return { exitCode: exitCode ?? 1, output: lines.join('\n'), startMs }
}
