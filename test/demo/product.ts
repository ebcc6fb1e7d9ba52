import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

/** Runs the product's real commands, like a user. */
const EGRESS = fileURLToPath(new URL('../../src/main.js', import.meta.url))
const SANDBOX_RUN = fileURLToPath(new URL('../../../sandbox-run', import.meta.url))

/** Milliseconds that the gateway has to end its sandbox. */
const GRACE_MS = 3000

export interface SandboxRun {
  /** If the gateway is a stack of containers: the environment variables that sandbox-run needs to find it. */
  readonly stack: Readonly<Record<string, string>> | null
  readonly policyPath: string
  readonly workPath: string
  /** The real credentials, only for the gateway. */
  readonly environment: Readonly<Record<string, string>>
  readonly command: readonly string[]
  /** More options of `egress run`. */
  readonly flags?: readonly string[]
  readonly signal: AbortSignal
  onLine(line: string): void
}

export interface SandboxResult {
  readonly exitCode: number
  /** Output of the sandbox. */
  readonly output: string
  /** Milliseconds from the start of the command to the first line from inside; null if there is none. */
  readonly startMs: number | null
}

/** `egress run --policy … --workdir … --write -- command`, or the same with sandbox-run and Docker, to its end. */
export async function runInSandbox(run: SandboxRun): Promise<SandboxResult> {
  run.signal.throwIfAborted()
  const sandbox = ['--workdir', run.workPath, '--write', ...(run.flags ?? []), '--', ...run.command]
  const [program, args, environment] =
    run.stack === null
      ? [process.execPath, [EGRESS, 'run', '--policy', run.policyPath, ...sandbox], run.environment]
      : [SANDBOX_RUN, ['--backend', 'docker', ...sandbox], run.stack]
  const started = performance.now()
  const child = spawn(program, args, {
    cwd: run.workPath,
    env: { ...process.env, ...environment },
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
