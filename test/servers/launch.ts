import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Order, Ports, Records, Report } from './messages.js'

/** The mock servers, seen from the process that started them. */
export interface World {
  /** PEM of the authority that the mock servers' certificates come from. */
  readonly ca: string
  readonly ports: Ports
  /** Everything that reached them so far. */
  records(): Promise<Records>
  close(): Promise<void>
}

/** Starts the mock servers in a process of their own. */
export async function launchMockServices(order: Order): Promise<World> {
  const child = fork(fileURLToPath(new URL('./main.js', import.meta.url)), {
    // Nothing that the caller knows is theirs to know, and their output would stand in the demo's table.
    env: {},
    execArgv: [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  child.send(order)
  const first = await nextReport(child)
  if (first.kind !== 'ready') {
    child.disconnect()
    throw new Error(first.kind === 'failed' ? first.message : 'the mock servers did not start')
  }
  return {
    ca: first.ca,
    ports: first.ports,
    records: async () => {
      child.send('records')
      const report = await nextReport(child)
      if (report.kind !== 'records') throw new Error('the mock servers did not answer')
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
        throw new Error('the mock servers ended')
      }),
    ])
  } finally {
    ended.abort()
  }
}
