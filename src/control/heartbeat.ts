import { closeSync, openSync, statSync, utimesSync } from 'node:fs'
import { EgressError } from '../common/errors.js'
import type { HealthCheck } from './health.js'

/** Milliseconds between two beats, and after which nobody is taken to be there: three beats on a busy machine. */
const BEAT_MS = 2_000
const GONE_MS = 7_000

/**
 * Shows the other role that this one is there, by the time of a file. Without content, so that it also beats on a full disk.
 *
 * @returns a function that stops it; the file stays, and says since when
 */
export function beat(path: string): () => void {
  const touch = () => {
    const now = new Date()
    try {
      utimesSync(path, now, now)
    } catch {
      try {
        closeSync(openSync(path, 'a', 0o644))
      } catch {
        // The other role finds no beat, and says so.
      }
    }
  }
  touch()
  const timer = setInterval(touch, BEAT_MS).unref()
  return () => clearInterval(timer)
}

/**
 * Whether the other role is there. One that was never there is not missed: a proxy can serve without a resolver.
 *
 * @param role as in `egress serve ROLE`
 */
export function roleCheck(role: 'dns' | 'proxy', path: string, now: () => number): HealthCheck {
  return {
    name: 'roles',
    problem() {
      const found = statSync(path, { throwIfNoEntry: false })
      const silentMs = found === undefined ? 0 : now() - found.mtimeMs
      if (silentMs < GONE_MS) return null
      const what = role === 'dns' ? 'resolver' : 'proxy'
      return new EgressError({
        code: 'EGRESS_ROLE_GONE',
        problem: `The ${what} is gone: its last sign is ${String(Math.round(silentMs / 1000))} seconds old`,
        fix: `Start it, and check the output of \`docker compose logs ${role}\`; if it is not to run, delete ${path}`,
        exitCode: 1,
      })
    },
  }
}
