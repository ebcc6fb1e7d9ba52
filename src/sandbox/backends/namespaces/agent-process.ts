import { readFileSync } from 'node:fs'

/**
 * The agent's process id on the host: `unshare` → PID 1 of the sandbox → the agent, with script(1) in between if there is
 * a terminal. Null before its start and after its end.
 */
export function findAgent(outer: number, behindScript: boolean): number | null {
  const steps = behindScript ? 3 : 2
  let found: number | null = outer
  for (let step = 0; step < steps && found !== null; step++) found = firstChild(found)
  return found
}

/** PID 1 also adopts orphans, but its first child is the process that it started itself. */
function firstChild(parent: number): number | null {
  try {
    const children = readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8')
    return children === '' ? null : Number.parseInt(children, 10)
  } catch {
    return null
  }
}

/** Retries for a signal that arrives before the agent exists. */
const backoffMs = { attempts: 100, intervalMs: 10 }

/** Sends a signal to the agent itself: PID 1 of a namespace ignores signals, and script(1) handles them itself. */
export function signalAgent(outer: number, behindScript: boolean, name: NodeJS.Signals, attempt = 0): void {
  const agent = findAgent(outer, behindScript)
  if (agent === null) {
    if (attempt < backoffMs.attempts) {
      setTimeout(() => signalAgent(outer, behindScript, name, attempt + 1), backoffMs.intervalMs).unref()
    }
    return
  }
  try {
    process.kill(agent, name)
  } catch {
    // It has already ended.
  }
}
