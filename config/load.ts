import { dirname, resolve } from 'node:path'
import type { CredentialKind } from '#firewall/contracts/credential.js'
import { DEFAULT_AGENT, type Destination, type Policy } from '#firewall/contracts/policy.js'
import { buildAgents, UNRESTRICTED_AGENT } from './agents.js'
import { narrowDestinations } from './agent-rules.js'
import { buildAllow, checkAllowConflicts } from './allow.js'
import { checkServiceConflicts, checkServiceOverlap } from './conflicts.js'
import type { LoadContext } from './context.js'
import type { CredentialInputs } from './credential.js'
import { deepFreeze, frozenMap } from './freeze.js'
import { PolicyError, type IssueList, type Path, type SourcePosition } from './issue.js'
import { checkStaticHosts, readDns } from './dns.js'
import { DEFAULT_DNS, DEFAULT_HTTP, readHttpLimits } from './limits.js'
import { expandPresets } from './presets/expand.js'
import { checkReferences } from './references.js'
import { SecretRefresher } from './secret-refresher.js'
import { policySchema, type PolicyFile } from './schema.js'
import { redactIssue } from './redact-message.js'
import { NO_VALUES, SecretValues } from './secrets.js'
import { buildService, type BuiltService } from './services.js'
import type { PolicySettings } from './settings.js'
import { validateSchema, type Validated } from './validate-schema.js'
import { checkCircles, checkUnused } from './sources/graph.js'
import { declaredNames, fillIn } from './sources/fill-in.js'
import { readSources } from './sources/section.js'
import type { SecretSource } from './sources/source.js'
import { readTextFile } from './text-file.js'
import { readUpstream } from './upstream.js'
import { readYaml } from './yaml-source.js'

export interface LoadOptions {
  readonly kinds: readonly CredentialKind[]
  /** Where secrets are looked up, beside `.env`. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** What relative file names are relative to; the process's own directory unless given. */
  readonly cwd?: string
  /**
   * `names` checks the policy and its references, and reads no other file: for `explain`, and for a resolver that must
   * hold no secret. Credentials then know their locations and inject nothing; `ca`s are null. Default: `values`.
   */
  readonly secrets?: 'values' | 'names'
  /** Directory of Docker's secrets; `/run/secrets` unless given. */
  readonly mountedSecrets?: string
}

export interface LoadedPolicy {
  /** The file's text, as it was read and checked; null where there is no file. */
  readonly text: string | null
  readonly policy: Policy
  /** Absolute names of files that a sandbox must not see: the policy, `.env`, files of secrets, `ca`s. */
  readonly sensitiveFiles: readonly string[]
  /** Absolute names of files that are read or run again while sandboxes run, so that none may write them. */
  readonly trustedFiles: readonly string[]
  /** Where the secrets of the section `secrets` come from. */
  readonly sources: readonly SecretSource[]
  /** Keeps the secrets up to date, once it is started. */
  readonly refresher: SecretRefresher | null
  /** Settings from the file's `settings`; `audit_dir` absolute. */
  readonly settings: PolicySettings
  /** Where the parts of the policy stand, by their ids: `services.jira`, `services.jira.rules[0]`, `allow[2]`. */
  readonly positions: ReadonlyMap<string, SourcePosition>
  /** Why the policy allows nothing at all, or null. */
  readonly empty: 'missing' | 'empty' | null
}

/** What a missing or empty file means: nothing is allowed. */
export function denyAllPolicy(): Policy {
  return deepFreeze({
    destinations: [],
    services: frozenMap<string, never>([]),
    agents: frozenMap([[DEFAULT_AGENT, UNRESTRICTED_AGENT]]),
    dns: DEFAULT_DNS,
    http: DEFAULT_HTTP,
    upstream: { hosts: {}, servers: [] },
  })
}

/**
 * Loads a policy file and the secrets that it refers to. Rejects with a PolicyError that has everything that is wrong,
 * not only the first.
 */
export async function loadPolicy(file: string, options: LoadOptions): Promise<LoadedPolicy> {
  const cwd = options.cwd ?? process.cwd()
  const absolute = resolve(cwd, file)
  const content = readTextFile(absolute)
  if (content === null) return denyAll('missing', null, [])
  if ('problem' in content) throw new PolicyError([{ file, line: 1, column: 1, ...content }])

  const secrets =
    options.secrets === 'names'
      ? null
      : new SecretValues({
          env: options.env,
          directory: dirname(absolute),
          cwd,
          mounted: options.mountedSecrets,
        })
  const sensitive = new Set([absolute])
  // Read before the first message is made, so that no message can repeat one of their values.
  for (const [, name = ''] of content.text.matchAll(/\$\{([A-Z_][A-Z0-9_]*)\}/g)) secrets?.lookUp(name)
  const source = readYaml(file, content.text)
  const credentials: CredentialInputs[] = []
  const context: LoadContext = {
    issues: source.issues,
    secrets: secrets ?? NO_VALUES,
    namesOnly: secrets === null,
    kinds: options.kinds,
    directory: dirname(absolute),
    resolved: (credentialInputs) => credentials.push(credentialInputs),
    sensitive: (path) => sensitive.add(path),
  }
  for (const diagnostic of secrets?.dotenvErrors ?? []) {
    source.issues.addAt(diagnostic.position, diagnostic, file.replace(/[^/]*$/, '.env'))
  }
  const shaped = 'scalars' in source && source.value !== undefined ? shape(source, context) : null
  const sources = readSources(shaped?.value.secrets ?? {}, options.env, context)
  checkCircles(sources, context)
  if (secrets !== null) await fillIn(secrets, sources, declaredNames(source.value), context)
  const built = shaped === null ? null : assemble(shaped, sources, context)
  if (source.issues.size > 0) {
    throw new PolicyError(source.issues.sorted().map((issue) => redactIssue(issue, secrets?.seen ?? [])))
  }
  const all = [...sources.values()]
  const read = secrets === null ? [] : all
  const sensitiveFiles = [...sensitive, ...(secrets?.files ?? []), ...read.flatMap((one) => one.hides())]
  if (built === null) return denyAll('empty', content.text, sensitiveFiles)
  return deepFreeze({
    ...built,
    text: content.text,
    sensitiveFiles,
    trustedFiles: read.flatMap((one) => one.trusts()),
    sources: all,
    refresher: secrets === null ? null : new SecretRefresher(read, secrets, credentials),
  })
}

function denyAll(
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
    settings: {},
    positions: frozenMap([]),
    empty,
  })
}

type Built = Pick<LoadedPolicy, 'policy' | 'settings' | 'positions' | 'empty'>

function shape(
  source: Extract<ReturnType<typeof readYaml>, { scalars: unknown }>,
  context: LoadContext,
): Validated<PolicyFile> | null {
  const { issues } = context
  checkReferences(source.scalars, issues)
  const expanded = expandPresets(source.value, context.kinds, issues)
  const shaped = validateSchema(policySchema(context.kinds), expanded.value, issues)
  return shaped === null ? null : { ...shaped, broken: new Set([...shaped.broken, ...expanded.broken]) }
}

function assemble(
  { value, allowIndexes, broken }: Validated<PolicyFile>,
  sources: ReadonlyMap<string, SecretSource>,
  context: LoadContext,
): Built {
  const { issues, directory } = context
  const built = Object.entries(value.services ?? {}).map(([name, file]) => buildService(name, file, context))
  const services = built.map(({ service }) => service)
  checkUnused(sources, new Set(built.flatMap(({ secrets }) => secrets)), context)
  const dns = readDns(value.dns, issues)
  const entries = (value.allow ?? []).map((entry, index) =>
    buildAllow(allowIndexes[index] ?? index, entry, dns.nameLimits, context),
  )
  const allow = entries.filter((entry) => entry !== null)
  const missing = new Set(entries.includes(null) ? [...broken, 'allow'] : broken)
  const agents = buildAgents(value.agents, { services, allow, broken: missing }, issues)
  const targets = narrowDestinations(built, value.agents, agents, missing, issues)
  checkAllowConflicts(allow, context)
  checkServiceOverlap(allow, targets, issues)
  checkStaticHosts(dns.hosts, [...targets, ...allow], issues)
  if (!missing.has('agents')) checkServiceConflicts(services, agents, issues)
  const destinations = [...targets, ...allow]
  const policy: Policy = {
    destinations,
    services: frozenMap(services.map((service) => [service.name, service])),
    agents: frozenMap(agents.map((agent) => [agent.name, agent])),
    dns,
    http: readHttpLimits(value.http, issues),
    upstream: readUpstream(
      value.upstream,
      destinations,
      endpointsOf(built),
      issues.size === 0 && !context.namesOnly,
      issues,
    ),
  }
  const { audit_dir: auditDir, log_level: logLevel } = value.settings ?? {}
  const settings: PolicySettings = {
    ...(auditDir === undefined ? {} : { auditDir: resolve(directory, auditDir) }),
    ...(logLevel === undefined ? {} : { logLevel }),
  }
  const empty = destinations.length === 0 ? 'empty' : null
  return { policy, settings, positions: frozenMap(positionsOf(destinations, issues)), empty }
}

/** Hosts that credentials are fetched from, and whether their service may reach private addresses. */
function endpointsOf(built: readonly BuiltService[]): ReadonlyMap<string, boolean> {
  return new Map(
    built.flatMap(({ service, destinations }) =>
      (service.credential?.endpoints ?? []).map(({ host }) => [
        host,
        destinations.some(({ allowPrivateAddresses: allowPrivate }) => allowPrivate),
      ]),
    ),
  )
}

function positionsOf(
  destinations: readonly Destination[],
  issues: IssueList,
): (readonly [string, SourcePosition])[] {
  const ids = destinations.flatMap(({ id, rules, agentRules = {} }) => [
    id,
    ...[rules, ...Object.values(agentRules)].flat().map((rule) => rule.id),
  ])
  return [...new Set(ids)].map((id) => [id, issues.position(pathOfId(id))])
}

/** `services.jira.rules[0]` is `['services', 'jira', 'rules', 0]`. */
function pathOfId(id: string): Path {
  return id
    .split(/[.[\]]+/)
    .filter((step) => step !== '')
    .map((step) => (/^\d+$/.test(step) ? Number(step) : step))
}
