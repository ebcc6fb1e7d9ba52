import { createHmac, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Policy } from '#firewall/contracts/policy.js'
import { narrowDestinations } from './agents/agent-rules.js'
import { buildAgents } from './agents/agents.js'
import { readExpectations } from './expectations/expectations.js'
import { readTextFile } from './files/text-file.js'
import { NO_AUTHORITIES, readHostAuthorities } from './files/host-authorities.js'
import { deepFreeze, frozenMap } from './freeze.js'
import { readApprovals } from './approvals/approvals.js'
import { checkAllowConflicts } from './hosts/allow-conflicts.js'
import { buildAllow } from './hosts/allow.js'
import { checkServiceConflicts, checkServiceOverlap } from './hosts/conflicts.js'
import { checkStaticHosts, readDns } from './hosts/dns.js'
import { readQuiet } from './hosts/quiet.js'
import { endpointsOf, readUpstream } from './hosts/upstream.js'
import { storeWay } from './hosts/store-way.js'
import { readProxies } from './hosts/upstream-proxy.js'
import { PolicyError } from './issues/issue.js'
import { redactIssue } from './issues/redact-message.js'
import { readHttpLimits, readSandboxLimits } from './limits/limits.js'
import { denyAll, type LoadedPolicy, type LoadOptions } from './loaded-policy.js'
import { PolicyLoad } from './policy-load.js'
import { positionsOf } from './positions.js'
import { expandPresets } from './presets/expand.js'
import { policySchema } from './schema/policy.js'
import { validateSchema } from './schema/validate-schema.js'
import type { CredentialInputs } from './secrets/credential-inputs.js'
import { declaredNames, fillIn } from './secrets/fill-in.js'
import { secretsOf, storeInputs } from './secrets/every-secret.js'
import { SecretRefresher } from './secrets/secret-refresher.js'
import { checkCircles, checkUnused, neededBy } from './secrets/source-graph.js'
import { readSources } from './secrets/sources/section.js'
import { buildService } from './services/services.js'
import { readPolicyAudit } from './audit-settings.js'
import { readPolicySettings } from './settings.js'
import { checkReferences } from './yaml/references.js'
import { readYaml } from './yaml/yaml-source.js'

export { denyAllPolicy, type LoadedPolicy, type LoadOptions } from './loaded-policy.js'

/** One step from text to policy. */
export interface LoadPass {
  readonly name: string
  /** Sets its part of the load, and adds errors to its issues. A pass that returns a policy ends the load. */
  readonly run: (load: PolicyLoad) => LoadedPolicy | undefined | Promise<undefined>
}

/** From text to policy, top to bottom. Errors are collected up to the pass `issues`, so that all are reported together. */
export const LOAD_PASSES: readonly LoadPass[] = [
  {
    name: 'text',
    run: (load) => {
      const { otherwise, text } = load.options
      const read = text === undefined ? readTextFile(load.absolute) : { text }
      const content = read ?? (otherwise === undefined ? null : { text: otherwise })
      if (content === null) return denyAll('missing', null, [])
      if ('problem' in content) throw new PolicyError([{ file: load.file, line: 1, column: 1, ...content }])
      load.text = content.text
      return undefined
    },
  },
  // Before the first message, so that no message can contain one of these values.
  pass('known secrets', ({ text, secrets }) => {
    for (const [, name = ''] of text.matchAll(/\$\{([A-Z_][A-Z0-9_]*)\}/g)) secrets?.lookUp(name)
  }),
  pass('yaml', (load) => {
    const source = readYaml(load.file, load.text)
    load.issues = source.issues
    load.source = 'scalars' in source && source.value !== undefined ? source : null
  }),
  pass('references', ({ source, issues }) => {
    checkReferences(source?.scalars ?? [], issues)
  }),
  pass('presets', (load) => {
    const { value, broken } = expandPresets(load.source?.value, load.options.kinds, load.issues)
    load.expanded = value
    markBroken(load, broken)
  }),
  pass('schema', (load) => {
    if (load.source === null) return
    const valid = validateSchema(policySchema(load.options.kinds), load.expanded, load.issues)
    if (valid === null) return
    load.valid = valid
    markBroken(load, valid.broken)
  }),
  pass('secret sources', (load) => {
    const { env, connectByProxy } = load.options
    const wayTo = (url: URL) => storeWay(load.valid.value.upstream, env, connectByProxy, url)
    load.sources = readSources(load.valid.value.secrets ?? {}, env, load.context, wayTo)
    checkCircles(load.sources, load.context)
  }),
  {
    name: 'secrets',
    run: async ({ secrets, sources, source, context, options }) => {
      if (secrets !== null)
        options.beforeSecrets?.([...sources.values()].flatMap((one) => one.trustedFiles()))
      if (secrets !== null) await fillIn(secrets, sources, declaredNames(source?.value), context)
      return undefined
    },
  },
  pass('secrets of sources', (load) => {
    load.stores = load.secrets === null ? [] : storeInputs(load.sources.values(), load.secrets)
  }),
  pass('services', (load) => {
    const { context, valid } = load
    load.services = Object.entries(valid.value.services ?? {}).map(([name, file]) =>
      buildService(name, file, context),
    )
  }),
  pass('upstream proxy', (load) => {
    load.proxy = readProxies(load.valid.value.upstream, load.options.env, load.context)
  }),
  pass('approvals', (load) => {
    load.approvals = readApprovals(load.valid.value.approvals, load.context)
  }),
  // Only what the policy needs: the file may be a project's own, in the syntax of any framework.
  pass('.env', ({ file, directory, issues, secrets, sources, services, proxy, approvals }) => {
    const named = [...services.flatMap((service) => service.secrets), ...proxy.names, ...approvals.names]
    const used = neededBy(named, sources)
    for (const name of used) {
      const place = secrets?.dotenvPlace(name)
      if (place == null) continue
      const at = file.replace(/[^/]*$/, place.file)
      if (place.error !== null) issues.addAt(place.position, place.error, at)
      else if (place.file === '.env' && place.expandable && hasComposeFile(directory)) {
        const value = secrets?.lookUp(name, true)
        if (typeof value !== 'string' || !value.includes('$')) continue
        const problem = `Docker Compose expands the \`$\` in ${name}, and prints a part of it as a warning`
        const fix =
          'Move the line to egress.env, which Compose does not read, or put the value in single quotes'
        issues.warnAt(place.position, { problem, fix }, at)
      }
    }
  }),
  pass('unused secrets', ({ sources, services, proxy, approvals, context }) => {
    const used = [...services.flatMap(({ secrets }) => secrets), ...proxy.names, ...approvals.names]
    checkUnused(sources, new Set(used), context)
  }),
  pass('dns', (load) => {
    load.dns = readDns(load.valid.value.dns, load.issues)
  }),
  pass('allow', (load) => {
    const { context, dns, valid } = load
    const entries = (valid.value.allow ?? []).map((entry, index) =>
      buildAllow(valid.allowIndexes[index] ?? index, entry, dns.nameLimits, context),
    )
    load.allow = entries.filter((entry) => entry !== null)
    if (entries.includes(null)) load.broken.add('allow')
  }),
  pass('quiet', (load) => {
    load.quiet = readQuiet(load.valid.value.quiet, load.issues)
  }),
  pass('tests', (load) => {
    load.tests = readExpectations(load.valid.value.tests, load.issues)
  }),
  pass('agents', (load) => {
    const services = load.services.map(({ service }) => service)
    const { allow, broken, issues, valid } = load
    load.agents = buildAgents(valid.value.agents, { services, allow, broken }, issues)
  }),
  pass('agent rules', (load) => {
    const { services, valid, agents, broken, ruleKinds, issues } = load
    load.targets = narrowDestinations(services, valid.value.agents, agents, broken, ruleKinds, issues)
  }),
  pass('conflicts', ({ allow, targets, destinations, dns, services, agents, broken, context, issues }) => {
    checkAllowConflicts(allow, context)
    checkServiceOverlap(allow, targets, issues)
    checkStaticHosts(dns.hosts, destinations, issues)
    if (broken.has('agents')) return
    checkServiceConflicts(
      services.map(({ service }) => service),
      agents,
      issues,
    )
  }),
  pass('http', (load) => {
    load.http = readHttpLimits(load.valid.value.http, load.issues)
    load.limits = readSandboxLimits(load.valid.value.settings?.limits, load.issues)
  }),
  pass('audit', (load) => {
    load.audit = readPolicyAudit(load.valid.value.audit, load.issues)
  }),
  pass('upstream', (load) => {
    const { valid, destinations, services, issues, secrets } = load
    const complete = issues.size === 0 && secrets !== null
    load.upstream = readUpstream(valid.value.upstream, destinations, endpointsOf(services), complete, issues)
  }),
  pass('issues', ({ issues, secrets }) => {
    if (issues.size === 0) return
    throw new PolicyError(issues.sorted().map((issue) => redactIssue(issue, secrets?.seen ?? [])))
  }),
  {
    name: 'freeze',
    run: (load) => {
      const { secrets, credentials, destinations, agents, dns, http, limits, upstream, issues, directory } =
        load
      const sources = [...load.sources.values()]
      const read = secrets === null ? [] : sources
      const sensitiveFiles = [
        ...load.sensitiveFiles,
        ...(secrets?.files ?? []),
        ...read.flatMap((source) => source.secretFiles()),
      ]
      if (load.source === null) return denyAll('empty', load.text, sensitiveFiles)
      const host = secrets === null ? NO_AUTHORITIES : readHostAuthorities(load.options.env, directory)
      const policy: Policy = {
        destinations,
        services: frozenMap(load.services.map(({ service }) => [service.name, service])),
        agents: frozenMap(agents.map((agent) => [agent.name, agent])),
        dns,
        http,
        limits,
        approvals: load.approvals.settings,
        upstream,
        proxies: load.proxy.proxies,
        hostAuthorities: host.pem,
        secrets: [...secretsOf([...credentials, ...load.stores]), ...load.proxy.secrets],
      }
      return deepFreeze({
        text: load.text,
        policy,
        sensitiveFiles,
        trustedFiles: [...read.flatMap((source) => source.trustedFiles()), ...host.files],
        sources,
        refresher:
          secrets === null ? null : new SecretRefresher(read, secrets, [...credentials, ...load.stores]),
        credentialFields: frozenMap(credentials.map(({ id, fields }) => [id, digestsOf(fields)])),
        quiet: load.quiet,
        tests: load.tests,
        settings: readPolicySettings(load.valid.value.settings, load.valid.value.audit, directory),
        audit: load.audit,
        warnings: issues.warnings.map((warning) => redactIssue(warning, secrets?.seen ?? [])),
        positions: frozenMap(positionsOf(destinations, issues)),
        empty: destinations.length === 0 ? ('empty' as const) : null,
      })
    },
  },
]

/** Loads a policy file and the secrets that it refers to. Rejects with a PolicyError that has all errors of the policy. */
export async function loadPolicy(file: string, options: LoadOptions): Promise<LoadedPolicy> {
  const load = new PolicyLoad(file, options)
  for (const { run } of LOAD_PASSES) {
    const loaded = await run(load)
    if (loaded !== undefined) return loaded
  }
  throw new Error('the last pass returns the policy')
}

/** A pass that never ends the load. */
function pass(name: string, run: (load: PolicyLoad) => void): LoadPass {
  return {
    name,
    run(load) {
      run(load)
      return undefined
    },
  }
}

/** Of this process alone: a digest that somebody sees is no way to try passwords. */
const DIGEST_KEY = randomBytes(32)

function digestsOf(fields: CredentialInputs['fields']): Readonly<Record<string, string>> {
  return Object.fromEntries(
    fields.map(({ key, template }) => [
      key,
      createHmac('sha256', DIGEST_KEY).update(template.pieces.join('\0')).digest('hex'),
    ]),
  )
}

function hasComposeFile(directory: string): boolean {
  const names = ['compose.yaml', 'compose.yml', 'docker-compose.yml', 'docker-compose.yaml']
  return names.some((name) => existsSync(join(directory, name)))
}

function markBroken({ broken }: PolicyLoad, parts: Iterable<string>): void {
  for (const part of parts) broken.add(part)
}
