import { dirname, resolve } from 'node:path'
import type { HostPattern } from '#firewall/contracts/names.js'
import type { Agent, Destination, Policy } from '#firewall/contracts/policy.js'
import { RULE_KINDS, type RuleKinds } from '#firewall/rules/index.js'
import type { PolicyTest } from './expectations/expectations.js'
import type { PolicyAudit } from './audit-settings.js'
import { DEFAULT_APPROVALS, type ReadApprovals } from './approvals/approvals.js'
import type { ReadProxies } from './hosts/upstream-proxy.js'
import { IssueList } from './issues/issue.js'
import { DEFAULT_DNS, DEFAULT_HTTP, DEFAULT_LIMITS } from './limits/limits.js'
import type { LoadOptions } from './loaded-policy.js'
import type { PolicyFile } from './schema/policy.js'
import type { Validated } from './schema/validate-schema.js'
import type { CredentialInputs } from './secrets/credential-inputs.js'
import { NO_VALUES, SecretValues } from './secrets/secret-values.js'
import type { SecretSource } from './secrets/sources/source.js'
import type { LoadContext } from './services/context.js'
import type { BuiltService } from './services/services.js'
import type { YamlSource } from './yaml/yaml-source.js'

const NOTHING: Validated<PolicyFile> = { value: {}, allowIndexes: [], broken: new Set() }

/** One policy while it is being loaded. Each pass reads what earlier passes have set. */
export class PolicyLoad {
  /** The file as the user named it, for messages. */
  readonly file: string
  readonly absolute: string
  readonly options: LoadOptions
  readonly cwd: string
  readonly ruleKinds: RuleKinds
  /** Null if the policy is loaded without secrets. */
  readonly secrets: SecretValues | null
  readonly credentials: CredentialInputs[] = []
  /** The same of the sources of secrets, which refer to secrets of their own. */
  stores: readonly CredentialInputs[] = []
  readonly sensitiveFiles: Set<string>

  issues: IssueList
  text = ''
  /** Null if the text is not YAML, or empty. */
  source: YamlSource | null = null
  /** The file with its presets expanded. */
  expanded: unknown = null
  /** The parts of the file that fit the schema. */
  valid: Validated<PolicyFile> = NOTHING
  /** Names such as `services.jira` and `allow` of parts with issues of their own. */
  readonly broken = new Set<string>()
  sources: ReadonlyMap<string, SecretSource> = new Map()
  services: readonly BuiltService[] = []
  allow: readonly Destination[] = []
  agents: readonly Agent[] = []
  /** The destinations of services, with the rules of agents. */
  targets: readonly Destination[] = []
  dns: Policy['dns'] = DEFAULT_DNS
  http: Policy['http'] = DEFAULT_HTTP
  limits: Policy['limits'] = DEFAULT_LIMITS
  audit: PolicyAudit = {}
  quiet: readonly HostPattern[] = []
  tests: readonly PolicyTest[] = []
  upstream: Policy['upstream'] = { hosts: {}, servers: [] }
  approvals: ReadApprovals = { settings: DEFAULT_APPROVALS, names: [] }
  proxy: ReadProxies = { proxies: null, names: [], secrets: [] }

  constructor(file: string, options: LoadOptions) {
    this.file = file
    this.options = options
    this.cwd = options.cwd ?? process.cwd()
    this.absolute = resolve(this.cwd, file)
    this.ruleKinds = options.ruleKinds ?? RULE_KINDS
    this.issues = new IssueList(file, () => ({ line: 1, column: 1 }))
    this.sensitiveFiles = new Set([this.absolute])
    this.secrets =
      options.withSecrets === false
        ? null
        : new SecretValues({
            env: options.env,
            directory: this.directory,
            cwd: this.cwd,
            mounted: options.mountedSecrets,
          })
  }

  /** Directory of the policy file, absolute. */
  get directory(): string {
    return dirname(this.absolute)
  }

  get destinations(): readonly Destination[] {
    return [...this.targets, ...this.allow]
  }

  /** What the readers in the rooms get of this load. */
  get context(): LoadContext {
    return {
      issues: this.issues,
      directory: this.directory,
      withSecrets: this.secrets !== null,
      secrets: this.secrets ?? NO_VALUES,
      kinds: this.options.kinds,
      ruleKinds: this.ruleKinds,
      resolved: (inputs) => this.credentials.push(inputs),
      hide: (path) => this.sensitiveFiles.add(path),
    }
  }
}
