import { Counter, Gauge, type Registry } from 'prom-client'
import type { SandboxUsage } from '#firewall/ledger/ledger.js'
import type { SandboxState } from '../control/operator-routes.js'

/** What is looked up with each scrape. Must be quick, and must not throw. */
export interface MetricSources {
  /** Those that are there: the series of one that has ended are gone with it. */
  readonly sandboxes: () => readonly {
    readonly id: string
    readonly agent: string
    readonly state: SandboxState
  }[]
  readonly usageOf: (sandbox: string) => SandboxUsage
  /** Null where it cannot be read. */
  readonly audit: () => { readonly bytes: number; readonly freeBytes: number } | null
  readonly auditFailures: () => number
  readonly secrets: () => readonly {
    readonly name: string
    readonly ageMs: number
    readonly isFailing: boolean
  }[]
  readonly policy: () => { readonly hash: string | null; readonly isRejected: boolean }
  /** When the certificate authority ends, in milliseconds since 1970; null for a role without one. */
  readonly caExpires: number | null
  readonly allStopped: () => boolean
  /** Every check of `/health`. */
  readonly checks: () => readonly { readonly name: string; readonly ok: boolean }[]
}

export function addStateMetrics(registry: Registry, sources: MetricSources): void {
  const gauge = (
    name: string,
    help: string,
    labelNames: readonly string[],
    values: () => readonly (readonly [labels: Record<string, string>, value: number])[],
  ) =>
    new Gauge({
      name,
      help,
      labelNames: [...labelNames],
      registers: [registry],
      collect() {
        this.reset()
        for (const [labels, value] of values()) this.set(labels, value)
      },
    })
  const one = (name: string, help: string, value: () => number | null) =>
    gauge(name, help, [], () => {
      const now = value()
      return now === null ? [] : [[{}, now]]
    })
  const ofEach = (name: string, help: string, value: (usage: SandboxUsage) => number) =>
    gauge(name, help, ['sandbox', 'agent'], () =>
      sources.sandboxes().map(({ id, agent }) => [{ sandbox: id, agent }, value(sources.usageOf(id))]),
    )

  gauge('egress_sandboxes', 'Sandboxes that are there.', ['agent', 'state'], () => {
    const counts = new Map<string, readonly [Record<string, string>, number]>()
    for (const { agent, state } of sources.sandboxes()) {
      const key = `${state} ${agent}`
      counts.set(key, [{ agent, state }, (counts.get(key)?.[1] ?? 0) + 1])
    }
    return [...counts.values()]
  })
  ofEach('egress_open_connections', 'Open connections of a sandbox.', ({ connections }) => connections)
  ofEach(
    'egress_open_streams',
    'Open requests, WebSockets and tunnels of a sandbox.',
    ({ requests }) => requests,
  )
  ofEach('egress_held_bytes', 'Memory that the gateway holds for a sandbox.', ({ heldBytes }) => heldBytes)
  ofEach(
    'egress_exfiltration_budget_used_ratio',
    'How much of its budget of new names a sandbox has used, under the wildcard where that is the most.',
    ({ budgetUsed }) => budgetUsed,
  )
  one(
    'egress_audit_log_bytes',
    'Size of the audit log, rotated files included.',
    () => sources.audit()?.bytes ?? null,
  )
  one(
    'egress_audit_free_bytes',
    'Free space where the audit log is.',
    () => sources.audit()?.freeBytes ?? null,
  )
  new Counter({
    name: 'egress_audit_write_failures_total',
    help: 'Records that could not be written.',
    registers: [registry],
    collect() {
      this.reset()
      this.inc(sources.auditFailures())
    },
  })
  gauge('egress_secret_age_seconds', 'Time since a secret was loaded or got its value.', ['secret'], () =>
    sources.secrets().map(({ name, ageMs }) => [{ secret: name }, ageMs / 1000]),
  )
  gauge('egress_secret_refresh_failing', 'Whether a secret could not be read last time.', ['secret'], () =>
    sources.secrets().map(({ name, isFailing }) => [{ secret: name }, Number(isFailing)]),
  )
  gauge('egress_policy_info', 'The policy in force, by the SHA-256 of its text.', ['hash'], () => [
    [{ hash: sources.policy().hash ?? '' }, 1],
  ])
  one('egress_policy_last_reload_successful', 'Whether the last policy that was read is in force.', () =>
    Number(!sources.policy().isRejected),
  )
  one('egress_ca_expiry_timestamp_seconds', 'When the certificate authority ends.', () =>
    sources.caExpires === null ? null : sources.caExpires / 1000,
  )
  one('egress_all_stopped', 'Whether an operator has stopped all sandboxes.', () =>
    Number(sources.allStopped()),
  )
  gauge('egress_health_check_ok', 'Each check of /health: 1 when it is well.', ['check'], () =>
    sources.checks().map(({ name, ok }) => [{ check: name }, Number(ok)]),
  )
}
