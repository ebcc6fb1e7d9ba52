import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** A benchmark process that has reported its ports or other data. */
export interface Worker<Ready> {
  readonly pid: number
  readonly ready: Ready
  stop(): Promise<void>
}

/** Starts a worker process, and waits for its first message. The worker ends with this process. */
export async function startWorker<Ready>(name: string, words: readonly string[]): Promise<Worker<Ready>> {
  const child = fork(fileURLToPath(new URL(`./${name}.js`, import.meta.url)), words, {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  })
  // Read and dropped, as the engine reads what a container prints.
  child.stdout?.resume()
  const ready = (await firstMessage(child)) as Ready
  return {
    pid: child.pid ?? 0,
    ready,
    stop: () =>
      new Promise((resolve) => {
        child.once('exit', () => resolve())
        child.disconnect()
      }),
  }
}

/** Runs a worker process to its end, and returns its only message. */
export async function runWorker<Result>(name: string, words: readonly string[]): Promise<Result> {
  const child = fork(fileURLToPath(new URL(`./${name}.js`, import.meta.url)), words)
  const exited = new Promise((resolve) => child.once('exit', resolve))
  const result = (await firstMessage(child)) as Result
  await exited
  return result
}

function firstMessage(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    child.once('message', resolve)
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`A benchmark process exited with ${String(code)}`)))
  })
}

/** In a worker: sends its first message, and exits when the parent process is gone. */
export function tellStarter(message: unknown): void {
  process.once('disconnect', () => process.exit(0))
  process.send?.(message)
}
