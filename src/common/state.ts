import { join } from 'node:path'

/** What a gateway that goes on keeps on its disk. Each directory is a volume of its own: not everybody may see each. */
export interface StateDirectories {
  /** What the proxy hands to the resolver: the policy's text and the registered sandboxes. No secret. */
  readonly shared: string
  /** The certificate authority with its key. The proxy's alone. */
  readonly ca: string
  /** Certificates that sandboxes trust; they see this directory, read-only. */
  readonly certificates: string
  /** The socket of the admin side. In memory, and in no sandbox's file system. */
  readonly run: string
}

export function stateDirectories(env: Readonly<Record<string, string | undefined>>): StateDirectories {
  const state = env['EGRESS_STATE_DIR'] ?? '/var/lib/egress'
  return {
    shared: join(state, 'shared'),
    ca: join(state, 'authority'),
    certificates: join(state, 'certificates'),
    run: env['EGRESS_RUN_DIR'] ?? '/run/egress',
  }
}

export const sandboxesIn = ({ shared }: StateDirectories) => join(shared, 'sandboxes')
export const endedIn = ({ shared }: StateDirectories) => join(shared, 'ended')
export const policyIn = ({ shared }: StateDirectories) => join(shared, 'policy.yaml')
export const adminSocketIn = (run: string) => join(run, 'admin.sock')
