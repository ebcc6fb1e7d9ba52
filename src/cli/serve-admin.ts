import { readFileSync } from 'node:fs'
import type { Settings } from '#config/settings.js'
import type { Policy } from '#firewall/contracts/policy.js'
import type { SandboxUsage } from '#firewall/ledger/ledger.js'
import { PolicyEngine } from '#firewall/policy-engine/policy-engine.js'
import { EgressError } from '../common/errors.js'
import { adminSocketIn } from '../common/state.js'
import { runChecks, healthRoutes, type HealthCheck } from '../control/health.js'
import { auditSpace, diskCheck } from '../control/health-checks.js'
import { serveAdmin, type AdminListener, type TcpOptions } from '../control/listener.js'
import type { KnownSandbox, SandboxState } from '../control/operator-routes.js'
import { stoppedError } from '../control/operator.js'
import type { AdminRoute } from '../control/route.js'
import type { HostClass } from '../metrics/event-metrics.js'
import type { RoleParts } from './serve-parts.js'

/** What differs between the roles. */
export interface RoleAdmin {
  readonly parts: RoleParts
  readonly settings: Settings
  readonly policy: () => Policy
  readonly policyHash: () => string | null
  /** Whether the policy that was read last was rejected. */
  readonly isRejected: () => boolean
  readonly usageOf: (sandbox: string) => SandboxUsage
  readonly sandboxes: () => readonly (Pick<KnownSandbox, 'id' | 'agent'> & { readonly state: SandboxState })[]
  readonly allStopped: () => boolean
  /** Beside those of the log and its disk. */
  readonly checks: readonly HealthCheck[]
  /** What must hold for new sandboxes besides (default: nothing). */
  readonly ready?: readonly HealthCheck[]
  /** Milliseconds since 1970; null for a role without a certificate authority. */
  readonly caExpires: number | null
  readonly routes: readonly AdminRoute[]
}

/** Serves the admin listener of a role: health, metrics, and what else the role has. */
export async function openAdmin(role: RoleAdmin): Promise<AdminListener> {
  const { parts, settings, allStopped } = role
  const { log, state, audit, registry, secrets, metrics, retention } = parts
  const { auditDir } = settings
  const checks: readonly HealthCheck[] = [
    { name: 'audit', problem: () => audit.problem() },
    diskCheck(auditDir, settings.auditMinFreeBytes, () => retention?.excess ?? null),
    ...role.checks,
  ]
  const started: HealthCheck = {
    name: 'started',
    problem: () => (allStopped() ? stoppedError() : null),
  }
  let engine: { readonly policy: Policy; readonly engine: PolicyEngine } | null = null
  const classOf = (agent: string, host: string): HostClass => {
    const policy = role.policy()
    if (engine?.policy !== policy) engine = { policy, engine: new PolicyEngine(policy) }
    const verdict = engine.engine.evaluateName(agent, host)
    if (!verdict.allowed) return 'unlisted'
    return verdict.wildcard === null ? 'exact' : 'wildcard'
  }
  metrics.observe(
    {
      sandboxes: role.sandboxes,
      usageOf: role.usageOf,
      audit: () => auditSpace(auditDir),
      auditFailures: () => audit.failures,
      secrets: () => secrets.list(),
      policy: () => ({ hash: role.policyHash(), isRejected: role.isRejected() }),
      caExpires: role.caExpires,
      allStopped,
      checks: () => runChecks(checks).checks,
    },
    classOf,
  )
  const isSandbox: TcpOptions['isSandbox'] = ({ address, localAddress }) =>
    registry.isInSandboxNetwork(address) || registry.isInSandboxNetwork(localAddress)
  const listener = await serveAdmin({
    routes: [...healthRoutes(checks, [started, ...(role.ready ?? [])]), metrics.route(), ...role.routes],
    socket: adminSocketIn(state.run),
    tcp: tcpOptions(settings, isSandbox),
    fail: (error) => log.error('Internal error on the admin listener', error),
  })
  if (listener.port !== null) log.info(`Admin listener on port ${String(listener.port)}`)
  return listener
}

function tcpOptions(
  { admin, adminTokenFile, adminHosts }: Settings,
  isSandbox: TcpOptions['isSandbox'],
): TcpOptions | null {
  if (admin === null) return null
  if (adminTokenFile === null)
    throw new EgressError({
      code: 'EGRESS_ADMIN_TOKEN',
      problem: 'The admin listener on TCP has no token',
      fix: 'Write one to a file (`openssl rand -hex 32`), and name it with --admin-token-file or EGRESS_ADMIN_TOKEN_FILE',
    })
  return { ...admin, token: readToken(adminTokenFile), hosts: adminHosts, isSandbox }
}

/** Of a token: 128 bits in hexadecimal. */
const MIN_TOKEN_LENGTH = 32

function readToken(file: string): string {
  let token: string
  try {
    token = readFileSync(file, 'utf8').trim()
  } catch (cause) {
    const { code = 'unknown error' } = cause as NodeJS.ErrnoException
    throw new EgressError({
      code: 'EGRESS_ADMIN_TOKEN',
      problem: `Cannot read the token of the admin listener in ${file} (${code})`,
      fix: 'Check --admin-token-file or EGRESS_ADMIN_TOKEN_FILE, and the permissions of the file',
      cause,
    })
  }
  if (token.length >= MIN_TOKEN_LENGTH && /^[!-~]+$/.test(token)) return token
  throw new EgressError({
    code: 'EGRESS_ADMIN_TOKEN',
    problem: `The token of the admin listener in ${file} is too short, or not plain ASCII`,
    fix: `Write at least ${String(MIN_TOKEN_LENGTH)} characters without spaces: \`openssl rand -hex 32\``,
  })
}
