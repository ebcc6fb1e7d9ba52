import { join } from 'node:path'

/** Directories in which `egress serve` stores its state. Each is a separate volume, because containers see different ones. */
export interface StateDirectories {
  /** Read by the resolver: the policy's text and the registered sandboxes. Contains no secret. */
  readonly shared: string
  /** The certificate authority with its key. Only the proxy sees it. */
  readonly ca: string
  /** Certificates that sandboxes trust; they see this directory, read-only. */
  readonly certificates: string
  /** The key that signs the audit log. Whoever can write the log cannot read it, unless they are the gateway. */
  readonly auditKey: string
  /** The one of the resolver, which the proxy sees, to verify both logs; the resolver does not see the proxy's. */
  readonly resolverAuditKey: string
  /** The admin socket. In memory, and not in the file system of any sandbox. */
  readonly run: string
}

export function stateDirectories(env: Readonly<Record<string, string | undefined>>): StateDirectories {
  const state = env['EGRESS_STATE_DIR'] ?? '/var/lib/egress'
  return {
    shared: join(state, 'shared'),
    ca: join(state, 'authority'),
    certificates: join(state, 'certificates'),
    auditKey: env['EGRESS_AUDIT_KEY_DIR'] ?? join(state, 'audit-key'),
    resolverAuditKey: join(state, 'audit-key-dns'),
    run: env['EGRESS_RUN_DIR'] ?? '/run/egress',
  }
}

export const sandboxesIn = ({ shared }: StateDirectories) => join(shared, 'sandboxes')
export const endedIn = ({ shared }: StateDirectories) => join(shared, 'ended')
export const holdsIn = ({ shared }: StateDirectories) => join(shared, 'holds.json')
/** The directory of the host that the policy was last read from, as it was given to Compose. */
export const policySourceIn = ({ shared }: StateDirectories) => join(shared, 'policy-directory')
/** Each beaten by one role, and watched by the other: the resolver cannot write what it shares with the proxy. */
export const proxyBeatIn = ({ shared }: StateDirectories) => join(shared, 'proxy.alive')
export const resolverBeatIn = (auditDir: string) => join(auditDir, 'dns.alive')
export const policyIn = ({ shared }: StateDirectories) => join(shared, 'policy.yaml')
export const adminSocketIn = (run: string) => join(run, 'admin.sock')

/** Sockets of single runs, and what an operator holds of all of them, below the state directory of their user. */
export const runSocketsIn = (stateDirectory: string) => join(stateDirectory, 'runs')
export const runSocketIn = (stateDirectory: string, id: string) =>
  join(runSocketsIn(stateDirectory), `${id}.sock`)
export const runHoldsIn = (stateDirectory: string) => join(stateDirectory, 'holds.json')
