import type { CredentialKind } from '#firewall/contracts/credential.js'
import { DEFAULT_AGENT } from '#firewall/contracts/identity.js'
import type { HostPattern } from '#firewall/contracts/names.js'
import type { Policy } from '#firewall/contracts/policy.js'
import type { RuleKinds } from '#firewall/rules/index.js'
import type { PolicyAudit } from './audit-settings.js'
import { DEFAULT_APPROVALS } from './approvals/approvals.js'
import { UNRESTRICTED_AGENT } from './agents/agents.js'
import type { PolicyTest } from './expectations/expectations.js'
import { deepFreeze, frozenMap } from './freeze.js'
import type { ConnectByProxy } from './hosts/store-way.js'
import type { PolicyIssue, SourcePosition } from './issues/issue.js'
import { DEFAULT_DNS, DEFAULT_HTTP, DEFAULT_LIMITS } from './limits/limits.js'
import type { SecretRefresher } from './secrets/secret-refresher.js'
import type { SecretSource } from './secrets/sources/source.js'
import type { PolicySettings } from './settings.js'

export interface LoadOptions {
  readonly kinds: readonly CredentialKind[]
  /** Kinds of rules (default: all kinds of the product). */
  readonly ruleKinds?: RuleKinds
  /** Environment in which secrets are looked up, in addition to `.env`. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Text of the policy if the file does not exist (default: none, so that everything is denied). */
  readonly otherwise?: string | undefined
  /** Directory for relative file names (default: the process's current directory). */
  readonly cwd?: string
  /**
   * False to check the policy and its references without reading any other file: for `explain`, and for a resolver, which must
   * have no secrets. Credentials then know their locations and inject nothing; `ca`s are null. Default: true.
   */
  readonly withSecrets?: boolean
  /** The policy, in place of the file's text: what would be if the file were so (default: the file's). */
  readonly text?: string
  /** Called with every file that a secret source would read or run, before any of them is. Throws to end the load. */
  readonly beforeSecrets?: (files: readonly string[]) => void
  /** Reaches secret stores through `upstream.proxy` (default: they cannot be, where the policy wants it). */
  readonly connectByProxy?: ConnectByProxy
  /** Directory of Docker's secrets (default: `/run/secrets`). */
  readonly mountedSecrets?: string
}

export interface LoadedPolicy {
  /** The text of the file as it was read and checked; null if there is no file. */
  readonly text: string | null
  readonly policy: Policy
  /** Absolute names of files to hide from sandboxes: the policy, `.env`, files with secrets, `ca`s. */
  readonly sensitiveFiles: readonly string[]
  /** Absolute names of files that are read or run again while sandboxes run, so that no sandbox may write them. */
  readonly trustedFiles: readonly string[]
  /** Sources of the section `secrets`. */
  readonly sources: readonly SecretSource[]
  /** Keeps the secrets up to date, once it is started; null if the policy was loaded without secrets or is empty. */
  readonly refresher: SecretRefresher | null
  /**
   * A digest of each field of each credential as the policy writes it, references unresolved, by the credential's id: to compare
   * two policies in one process without their texts, which may be secrets.
   */
  readonly credentialFields: ReadonlyMap<string, Readonly<Record<string, string>>>
  /** Settings from the file's `settings`; `audit_dir` absolute. */
  readonly settings: PolicySettings
  /** What becomes of the audit log, from the file's `audit`. */
  readonly audit: PolicyAudit
  /** Hosts of whose refusals nothing needs to be said. */
  readonly quiet: readonly HostPattern[]
  /** What is expected of the policy, for `egress test`. */
  readonly tests: readonly PolicyTest[]
  /** What is no error but deserves a look, with positions: secrets that can be guessed. */
  readonly warnings: readonly PolicyIssue[]
  /** Positions of the parts of the policy, by their ids: `services.jira`, `services.jira.rules[0]`, `allow[2]`. */
  readonly positions: ReadonlyMap<string, SourcePosition>
  /** Why the policy allows nothing at all; null if it allows something. */
  readonly empty: 'missing' | 'empty' | null
}

/** The policy of a missing or empty file: everything is denied. */
export function denyAllPolicy(): Policy {
  return deepFreeze({
    destinations: [],
    services: frozenMap<string, never>([]),
    agents: frozenMap([[DEFAULT_AGENT, UNRESTRICTED_AGENT]]),
    dns: DEFAULT_DNS,
    http: DEFAULT_HTTP,
    limits: DEFAULT_LIMITS,
    approvals: DEFAULT_APPROVALS,
    upstream: { hosts: {}, servers: [] },
    secrets: [],
  })
}

export function denyAll(
  empty: 'missing' | 'empty',
  text: string | null,
  sensitiveFiles: readonly string[],
): LoadedPolicy {
  return deepFreeze({
    text,
    policy: denyAllPolicy(),
    sensitiveFiles,
    trustedFiles: [],
    sources: [],
    refresher: null,
    credentialFields: frozenMap([]),
    settings: {},
    audit: {},
    quiet: [],
    tests: [],
    warnings: [],
    positions: frozenMap([]),
    empty,
  })
}
