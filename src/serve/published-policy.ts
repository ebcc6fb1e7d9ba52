import { readFileSync, statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { followLog } from '../logs/follow.js'
import type { AuditRole } from '../audit/audit.js'
import { writeWholeFile } from '../common/write-file.js'

/** Milliseconds between two checks for a new policy from the proxy. */
const POLL_MS = 500

/** Milliseconds that the resolver may take to load a new policy, on the slowest machine. */
const RESOLVER_MS = 15_000

/**
 * Passes the checked policy text to the resolver, as a whole file. A new file, also with the same text, is a new version to the
 * resolver: it may have rejected the one before, for example because its audit log could not be written.
 */
export function publishPolicy(text: string | null, path: string): void {
  writeWholeFile(path, text ?? '')
}

export function readTextOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}

/** Resolves with the version of the file when it differs from the known one. Rejects when the signal fires. */
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
 * Finds out whether a resolver in another process has loaded a policy. It reads the resolver's audit log, the only file that
 * the resolver writes and the proxy can read. Only records written after this call count.
 *
 * @param inForce hash of the policy that was published last: one that replaces another within moments is the only one of the
 *   two that the resolver ever sees
 * @returns a function that waits for the outcome of the policy with this hash, or of one that has replaced it; never rejects
 */
export function watchResolver(
  auditDir: string,
  inForce: () => string | null,
): (hash: string | null) => Promise<ResolverOutcome> {
  const roles: readonly AuditRole[] = ['dns']
  const lines = followLog(auditDir, roles, AbortSignal.timeout(RESOLVER_MS))
  // Start reading now, so that no record is missed before the function is called.
  const first = lines.next()
  return async (hash) => {
    try {
      for (let next = await first; next.done !== true; next = await lines.next()) {
        const { type, event } = next.value.shown
        if (type !== 'policy' || (event.hash !== hash && event.hash !== inForce())) continue
        return event.action === 'policy-loaded' ? 'loaded' : 'rejected'
      }
    } catch {
      // The log cannot be read, so the outcome is unknown.
    } finally {
      void lines.return(undefined)
    }
    return 'silent'
  }
}
