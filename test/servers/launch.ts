import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Order, Ports, Records, Report } from './messages.js'

/** The mock servers, seen from the process that started them. */
export interface World {
  /** PEM of the CA that issued the mock servers' certificates. */
  readonly ca: string
  readonly ports: Ports
  /** All records so far. */
  records(): Promise<Records>
  close(): Promise<void>
}

/** Starts the mock servers in their own process. */
export async function launchMockServices(order: Order): Promise<World> {
  const child = fork(fileURLToPath(new URL('./main.js', import.meta.url)), {
    // They must not inherit the caller's environment, and their output would appear in the demo's table.
    env: {},
    execArgv: [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  child.send(order)
  const first = await nextReport(child)
  if (first.kind !== 'ready') {
    child.disconnect()
    throw new Error(first.kind === 'failed' ? first.message : 'The mock servers did not start')
  }
  return {
    ca: first.ca,
    ports: first.ports,
    records: async () => {
      child.send('records')
      const report = await nextReport(child)
      if (report.kind !== 'records') throw new Error('The mock servers are not responding')
      return report.records
    },
    close: async () => {
      if (!child.connected) return
      child.disconnect()
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    },
  }
}

async function nextReport(child: ChildProcess): Promise<Report> {
  const ended = new AbortController()
  try {
    return await Promise.race([
      once(child, 'message', { signal: ended.signal }).then(([message]) => message as Report),
      once(child, 'exit', { signal: ended.signal }).then(() => {
        throw new Error('The mock servers exited')
      }),
    ])
  } finally {
    ended.abort()
  }
}
