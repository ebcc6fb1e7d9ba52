import { readFileSync, statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { followLog } from '../logs/follow.js'
import type { AuditRole } from '../audit/audit.js'
import { writeWholeFile } from '../common/write-file.js'

/** Milliseconds between two looks at the policy that the proxy hands over. */
const POLL_MS = 500

/** Milliseconds in which a resolver has taken up what was handed over, on the slowest machine. */
const RESOLVER_MS = 15_000

/**
 * The proxy hands the text that it has checked to the resolver, whole; one that is the same already stays.
 *
 * @returns whether the resolver has something new to read
 */
export function publishPolicy(text: string | null, path: string): boolean {
  if (readTextOrNull(path) === (text ?? '')) return false
  writeWholeFile(path, text ?? '')
  return true
}

export function readTextOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}

/** Resolves with the version that stands in the place of the known one. Rejects once the signal fires. */
export async function nextVersion(file: string, known: string | null, signal: AbortSignal): Promise<string> {
  for (;;) {
    const version = versionOf(file)
    if (version !== null && version !== known) return version
    await sleep(POLL_MS, undefined, { signal })
  }
}

function versionOf(file: string): string | null {
  const found = statSync(file, { throwIfNoEntry: false })
  return found === undefined ? null : `${String(found.ino)} ${String(found.mtimeMs)}`
}

export type ResolverOutcome = 'loaded' | 'rejected' | 'silent'

/**
 * What becomes of a policy in the resolver that is another process: it says so in its audit log, the one thing that it can
 * write and that both see. What is written from this call on counts.
 *
 * @returns asks for the outcome of the policy with this hash; never rejects
 */
export function watchResolver(auditDir: string): (hash: string | null) => Promise<ResolverOutcome> {
  const roles: readonly AuditRole[] = ['dns']
  const lines = followLog(auditDir, roles, AbortSignal.timeout(RESOLVER_MS))
  // Begun now, so that nothing is missed that is written before somebody asks.
  const first = lines.next()
  return async (hash) => {
    try {
      for (let next = await first; next.done !== true; next = await lines.next()) {
        const { type, event } = next.value.shown
        if (type !== 'policy' || event.hash !== hash) continue
        return event.action === 'policy-loaded' ? 'loaded' : 'rejected'
      }
    } catch {
      // The log cannot be read: then nobody knows.
    } finally {
      void lines.return(undefined)
    }
    return 'silent'
  }
}
