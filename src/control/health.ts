import { exitCodeOf, formatError } from '../common/errors.js'
import { json, type AdminRoute } from './route.js'

/** Something that must be well for the gateway to serve. */
export interface HealthCheck {
  /** Stable, in kebab-case: a monitor may look for it. */
  readonly name: string
  /** Looks now, and quickly: others wait. Null when it is well, otherwise what is wrong, with a problem and a fix. Must not throw. */
  problem(): Error | null
}

export interface CheckResult {
  readonly name: string
  readonly ok: boolean
  readonly problem: string | null
  readonly fix: string | null
}

/** The body of `/health` and `/ready`. */
export interface HealthReport {
  readonly status: 'ok' | 'failing'
  readonly checks: readonly CheckResult[]
  /** Exit code of a command that reports it. */
  readonly exit_code: number
}

export function runChecks(checks: readonly HealthCheck[]): HealthReport {
  const found = checks.map((check) => ({ name: check.name, error: check.problem() }))
  const results = found.map(({ name, error }) => {
    if (error === null) return { name, ok: true, problem: null, fix: null }
    const { problem, fix } = error as Partial<Record<'problem' | 'fix', string>>
    return { name, ok: false, problem: problem ?? formatError(error).trim(), fix: fix ?? null }
  })
  const first = found.find(({ error }) => error !== null)?.error ?? null
  return {
    status: first === null ? 'ok' : 'failing',
    checks: results,
    exit_code: first === null ? 0 : exitCodeOf(first),
  }
}

/**
 * `/health` says whether the gateway is well: restart it or wake somebody if not. `/ready` says whether it takes new sandboxes:
 * send them elsewhere if not.
 *
 * @param ready what must hold for new sandboxes besides
 */
export function healthRoutes(health: readonly HealthCheck[], ready: readonly HealthCheck[]): AdminRoute[] {
  const route = (path: AdminRoute['path'], checks: readonly HealthCheck[]): AdminRoute => ({
    method: 'GET',
    path,
    handle() {
      const report = runChecks(checks)
      return json(report, report.status === 'ok' ? 200 : 503)
    },
  })
  return [route('/health', health), route('/ready', [...health, ...ready])]
}
