import { randomBytes } from 'node:crypto'
import { readAuditSettings, type PolicyAudit } from '#config/audit-settings.js'
import type { Settings } from '#config/settings.js'
import type { Policy } from '#firewall/contracts/policy.js'
import type { Ledger } from '#firewall/ledger/ledger.js'
import { Audit, type AuditRole } from '../audit/audit.js'
import { AlertSink } from '../approvals/alert-sink.js'
import { openAnchor } from '../audit/anchor.js'
import { openAuditKey } from '../audit/audit-key.js'
import { Retention } from '../audit/retention.js'
import { EgressError, EXIT } from '../common/errors.js'
import { version } from '../common/version.js'
import { SecretStatus } from '../control/secret-status.js'
import { GatewayMetrics } from '../metrics/metrics.js'
import { readKubernetesSettings } from '../kubernetes/settings.js'
import { LiveFeed } from '../page/live-feed.js'
import { SandboxCounts } from '../control/sandbox-counts.js'
import { createLog, type ProgramLog } from '../common/log.js'
import { ConsoleSink } from '../logs/console-sink.js'
import { followLog } from '../logs/follow.js'
import { JsonSink } from '../logs/json-sink.js'
import { painter } from '../logs/format.js'
import { RunSummaries } from '../logs/run-summaries.js'
import { readFixedNetworks } from '../serve/fixed-networks.js'
import { withPlaceholders } from '../serve/fixed-placeholders.js'
import type { FixedNetwork } from '../serve/registry.js'
import { SandboxRegistry } from '../serve/registry.js'
import { openTelemetry, type TelemetrySink } from '../telemetry/telemetry-sink.js'
import { checkStateOwner } from '../serve/state-owner.js'
import { sandboxesIn, stateDirectories, type StateDirectories } from '../common/state.js'
import type { ReloadOutcome } from '../serve/reloader.js'
import type { CommandIo } from '../common/io.js'

/** Options of both roles of `egress serve`. */
export interface RoleFlags {
  readonly policy: string | undefined
  readonly auditDir: string | undefined
  readonly admin: string | undefined
  readonly adminTokenFile: string | undefined
}

export interface RoleParts {
  readonly log: ProgramLog
  readonly state: StateDirectories
  readonly registry: SandboxRegistry
  readonly audit: Audit
  readonly counts: SandboxCounts
  /** What the page shows. */
  readonly feed: LiveFeed
  readonly summaries: RunSummaries
  readonly secrets: SecretStatus
  readonly metrics: GatewayMetrics
  /** Null unless it is switched on. */
  readonly telemetry: TelemetrySink | null
  /** Of the role that looks after the files of the log. */
  readonly retention: Retention | null
  /** The fixed networks from the environment. */
  readonly networks: readonly FixedNetwork[]
}

/** Opens the parts that both roles share. Decisions are printed as they are recorded. */
export function openRole(
  roles: readonly AuditRole[],
  settings: Settings,
  io: CommandIo,
  policy: Policy | null,
  auditOf: PolicyAudit,
): RoleParts {
  const log = createLog(settings.logLevel, (line) => io.stderr.write(line))
  const state = stateDirectories(io.env)
  const { shared, ca, certificates, auditKey } = state
  const isProxy = roles.includes('http')
  // In a cluster the authority is a mounted Secret, which nobody writes here.
  const own = readKubernetesSettings(io.env) === null ? [ca] : []
  checkStateOwner([...(isProxy ? [shared, ...own, certificates] : []), auditKey, settings.auditDir])
  const networks = readFixedNetworks(io.env)
  const known = policy === null ? networks : withPlaceholders(networks, policy, state.shared)
  const registry = new SandboxRegistry(sandboxesIn(state), known)
  const kept = readAuditSettings(io.env, auditOf)
  const warn = (message: string) => log.warn(message)
  const alerts = kept.alerts === null ? null : new AlertSink({ ...kept.alerts, now: Date.now, warn })
  const telemetry = isProxy ? openTelemetry(io.env, warn) : null
  const counts = new SandboxCounts()
  const feed = new LiveFeed()
  const summaries = new RunSummaries()
  const secrets = new SecretStatus(Date.now)
  const metrics = new GatewayMetrics(version())
  const print = (text: string) => io.stdout.write(text)
  const lines =
    kept.logFormat === 'json'
      ? new JsonSink(print)
      : new ConsoleSink(print, painter(process.stdout.isTTY, io.env))
  const audit = new Audit({
    directory: settings.auditDir,
    gateway: `gateway-${randomBytes(5).toString('hex')}`,
    now: Date.now,
    onChange: (message) => log.error(message),
    roles,
    whenLost: settings.auditLost,
    key: openAuditKey(state.auditKey),
    ...(kept.anchor === null ? {} : { anchor: openAnchor(kept.anchor, warn).add }),
    sinks: [
      lines,
      ...(alerts === null ? [] : [alerts]),
      ...(telemetry === null ? [] : [telemetry]),
      counts,
      feed,
      secrets,
      metrics.sink,
      summaries,
    ],
  })
  if (!roles.includes('dns')) void followResolver(settings.auditDir, alerts, feed)
  process.on('SIGUSR2', () => audit.reopen())
  // Of two roles in one directory, one looks after it.
  const retention = isProxy
    ? new Retention({ ...kept, directory: settings.auditDir, now: Date.now, warn })
    : null
  retention?.start()
  return {
    log,
    state,
    registry,
    audit,
    counts,
    feed,
    secrets,
    metrics,
    summaries,
    networks,
    retention,
    telemetry,
  }
}

/** Tells of what a resolver in another process has recorded, as long as this process runs. */
async function followResolver(auditDir: string, alerts: AlertSink | null, feed: LiveFeed): Promise<void> {
  const lines = followLog(auditDir, ['dns'], new AbortController().signal)
  try {
    for await (const line of lines) {
      alerts?.takeRecorded(line)
      feed.takeRecorded(line)
    }
  } catch {
    // The directory is gone, which stops all traffic by itself.
  }
}

/** The last record of the process but the checkpoint that ends its log. Whoever stops it has no use for an error. */
export function recordStop(audit: Audit, policyHash: string | null): void {
  try {
    audit.process({ at: Date.now(), action: 'gateway-stop', version: version(), policyHash })
  } catch {
    // The log has told that it cannot be written.
  }
}

const FORGET_MS = 60_000

/** Removes the counters of sandboxes that have ended, so that a gateway can run for months. */
export function pruneCounters(counters: Pick<Ledger, 'prune'>, registry: SandboxRegistry): void {
  const forget = () => {
    try {
      counters.prune(registry.activeSandboxes())
    } catch {
      // The list of active sandboxes could not be read (for example, no file descriptors left). Keep all counters:
      // dropping one would reset its budget.
    }
  }
  setInterval(forget, FORGET_MS).unref()
}

export function stopSignal(): Promise<undefined> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(undefined))
  })
}

/** Handles SIGHUP, which would otherwise end the process. A signal before `listen` is delivered when the listener is set. */
export function hangups(): { listen(listener: () => void): void } {
  let missed = false
  let tell = () => {
    missed = true
  }
  process.on('SIGHUP', () => tell())
  return {
    listen(listener) {
      tell = listener
      if (missed) listener()
    },
  }
}

export const NOT_RELOADED = 'Could not reload the policy, so the previous policy stays in force'

/** The error of `egress reload` for a rejected policy. */
export function notReloaded(outcome: Extract<ReloadOutcome, { loaded: false }>): EgressError {
  return new EgressError({
    code: 'EGRESS_NOT_RELOADED',
    problem: `${NOT_RELOADED}\n${outcome.message.trimEnd()}`,
    fix: 'Fix the error above, then reload again',
    exitCode: EXIT.failed,
  })
}
