import { asks } from '#config/approvals/approvals.js'
import { ignoredProxies } from '#config/hosts/upstream-proxy.js'
import type { CredentialKind } from '#firewall/contracts/credential.js'
import {
  describeDestination,
  describeOrigin,
  describeQuota,
  describeRule,
  describeLocations,
} from '#firewall/policy-engine/describe.js'
import type { NameLimits } from '#firewall/contracts/names.js'
import type { Destination, Policy } from '#firewall/contracts/policy.js'
import type { Service } from '#firewall/contracts/service.js'
import type { Rule } from '#firewall/contracts/rule.js'
import { leakBoundBits } from '#firewall/ledger/leak-bound.js'
import { foreignProtocolOf } from '#firewall/names/well-known-ports.js'
import { isHttpRule } from '#firewall/rules/http.js'
import { describeProxies } from './describe-proxies.js'
import { placeOf, type PolicyOnDisk } from '../common/policy-file.js'

type Environment = Readonly<Record<string, string | undefined>>

/** The meaning of a policy, as plain data. */
export function summarisePolicy(loaded: PolicyOnDisk, kinds: readonly CredentialKind[], env: Environment) {
  const { policy, file } = loaded
  const allow = policy.destinations.filter(({ service }) => service === null)
  return {
    ok: true,
    file,
    services: [...policy.services.values()].map((service) => ({
      name: service.name,
      place: placeOf(loaded, `services.${service.name}`),
      destinations: destinationsOf(policy, service).map(describeDestination),
      credential: describeCredential(service, kinds),
      rules: rulesOf(policy, service),
      inject: service.credential === null ? null : service.injectWhen,
      session_headers: service.credential === null ? 'pass' : service.sessionHeaders,
      rate: service.rate,
      quota: service.quota,
      environment: Object.keys(service.environment),
    })),
    allow: allow.map((entry) => ({
      id: entry.id,
      place: placeOf(loaded, entry.id),
      destination: describeDestination(entry),
      rules: entry.rules.map((rule) => ({ id: rule.id, text: rule.text, meaning: describeRule(rule) })),
    })),
    secrets: loaded.sources.map(({ name, kind, refreshMs }) => ({ name, source: kind, refreshMs })),
    agents: [...policy.agents.values()].map((agent) => ({
      ...agent,
      rules: agentRulesOf(policy, agent.name),
    })),
    wildcards: wildcardsOf(policy).map(({ text, limits }) => ({
      text,
      budget: limits.budget,
      bitsPerDay: leakBoundBits(limits.budget),
    })),
    approvals: asks(policy.destinations) ? approvalSettings(policy) : null,
    audit: loaded.audit,
    proxies: describeProxies(policy),
    warnings: [...warningsOf(loaded), ...ignoredWarning(env, policy)],
  }
}

type Summary = ReturnType<typeof summarisePolicy>

/** The meaning of a policy, in plain English. */
export function describePolicy(
  loaded: PolicyOnDisk,
  kinds: readonly CredentialKind[],
  env: Environment,
): string {
  const summary = summarisePolicy(loaded, kinds, env)
  const lines = [
    `${summary.file} is valid.`,
    ...summary.services.flatMap(describeService),
    ...(summary.allow.length > 0 ? ['', 'Without a credential:'] : []),
    ...summary.allow.flatMap(({ destination, rules }) => [
      `  ${destination}`,
      ...rules.map(({ meaning }) => `    ${meaning}`),
    ]),
    ...describeSources(summary),
    ...(summary.proxies.length > 0 ? ['', ...summary.proxies] : []),
    '',
    'Agents:',
    ...summary.agents.flatMap((agent) => [
      `  ${agent.name} ${describeAgent(agent, loaded.policy)}`,
      ...agent.rules.map(({ service, meaning }) => `    at ${service}, additional rule: ${meaning}`),
    ]),
    ...describeWildcards(summary),
    ...describeApprovals(loaded.policy),
    ...describeAudit(loaded),
    ...(loaded.quiet.length > 0
      ? ['', `Refused without a word: ${loaded.quiet.map(({ text }) => text).join(', ')}`]
      : []),
    ...(summary.warnings.length > 0 ? ['', 'Warnings:'] : []),
    ...summary.warnings.map((warning) => `  ${warning}`),
  ]
  return `${lines.join('\n')}\n`
}

function describeService({
  name,
  destinations,
  credential,
  rules,
  inject,
  session_headers: sessionHeaders,
  rate,
  quota,
}: Summary['services'][number]): string[] {
  return [
    '',
    `Service ${name}, at ${destinations.join(' and ')}`,
    credential === null ? '  without a credential' : `  credential ${credential.id}: ${credential.summary}`,
    ...(credential === null
      ? []
      : [
          `    from ${credential.secrets.join(', ') || 'plain text'}, into ${describeLocations(credential.locations)}`,
          ...credential.endpoints.map(
            (endpoint) => `    with a token that the gateway requests from ${endpoint}`,
          ),
          ...(inject === 'on_placeholder'
            ? ['    injected only if the request contains the placeholder; otherwise the location is cleared']
            : []),
          ...(sessionHeaders === 'pass' ? ['    its session cookies and tokens reach the sandbox'] : []),
        ]),
    ...rules.map(({ meaning }, index) => `  ${index + 1}. ${meaning}`),
    `  ${rules.length + 1}. may not do anything else`,
    ...(rate === null
      ? []
      : [`  at most ${rate.perSecond} requests per second, in bursts of up to ${rate.burst}`]),
    ...(quota === null ? [] : [`  at most ${describeQuota(quota)}`]),
  ]
}

/** Null for no webhook. */
function approvalSettings({ approvals }: Policy) {
  const { holdMs, expireMs, maxBodyBytes, webhook } = approvals
  return { holdMs, expireMs, maxBodyBytes, webhook: webhook?.url ?? null }
}

function describeApprovals(policy: Policy): string[] {
  if (!asks(policy.destinations)) return []
  const { holdMs, expireMs, maxBodyBytes, webhook } = approvalSettings(policy)
  return [
    '',
    'Approvals (`egress approvals` lists what waits):',
    `  a request is held for ${holdMs / 1000} s, and waits for ${expireMs / 60_000} minutes; its body may have ${maxBodyBytes} bytes`,
    ...(webhook === null ? [] : [`  new ones are reported to ${webhook}`]),
  ]
}

function describeSources({ secrets }: Summary): string[] {
  if (secrets.length === 0) return []
  return [
    '',
    'Secrets:',
    ...secrets.map(({ name, source, refreshMs }) => {
      const schedule = refreshMs === null ? 'once' : `every ${refreshMs / 1000} s`
      return `  ${name} from ${source.replace('_', ' ')}, read ${schedule}`
    }),
  ]
}

function describeAgent({ services, allow }: Summary['agents'][number], policy: Policy): string {
  const hosts = policy.destinations.filter(({ id }) => allow?.includes(id)).map(({ label }) => label)
  const first = services === null ? 'every service' : `services ${services.join(', ') || '(none)'}`
  const second = allow === null ? 'every entry of allow' : `hosts ${hosts.join(', ') || '(none)'}`
  return `may use ${first} and ${second}`
}

function describeWildcards({ wildcards }: Summary): string[] {
  if (wildcards.length === 0) return ['', 'No wildcards: DNS names cannot carry data out.']
  return [
    '',
    'Wildcards (a sandbox can send limited data out through these names):',
    ...wildcards.map(
      ({ text, budget, bitsPerDay }) =>
        `  ${text}: at most ${budget.names} new names and ${budget.bytes} bytes in ${budget.windowMs / 60_000} minutes, ${bitsPerDay} bits per day`,
    ),
  ]
}

function destinationsOf({ destinations }: Policy, { name }: Service): readonly Destination[] {
  return destinations.filter(({ service }) => service === name)
}

/** The rules as written in the policy, without the base path of each target. */
function rulesOf(policy: Policy, service: Service) {
  const [destination] = destinationsOf(policy, service)
  return (destination?.rules ?? []).map((rule) => ({
    id: rule.id,
    text: rule.text,
    meaning: describeRule(rule),
  }))
}

/** The additional rules of one agent, as written in the policy. */
function agentRulesOf(policy: Policy, agent: string) {
  return [...policy.services.values()].flatMap((service) =>
    (destinationsOf(policy, service)[0]?.agentRules?.[agent] ?? []).map((rule) => ({
      service: service.name,
      id: rule.id,
      text: rule.text,
      meaning: describeRule(rule),
    })),
  )
}

function describeCredential({ credential, placeholders }: Service, kinds: readonly CredentialKind[]) {
  if (credential === null) return null
  const { id, kind, locations, endpoints = [] } = credential
  const summary = kinds.find(({ name }) => name === kind)?.summary ?? kind
  return {
    id,
    kind,
    summary,
    locations,
    secrets: Object.keys(placeholders),
    endpoints: endpoints.map(describeOrigin),
  }
}

function wildcardsOf({ destinations, dns }: Policy): readonly { text: string; limits: NameLimits }[] {
  const wildcards = destinations.filter(({ host }) => host.kind === 'wildcard')
  const limits = new Map(wildcards.map(({ host, nameLimits }) => [host.text, nameLimits ?? dns.nameLimits]))
  return [...limits].map(([text, applied]) => ({ text, limits: applied }))
}

function warningsOf(loaded: PolicyOnDisk): readonly string[] {
  const { policy } = loaded
  if (loaded.empty !== null) return [`${loaded.file} is empty, so everything is denied.`]
  return [
    ...loaded.warnings.map(
      ({ file, line, column, problem, fix }) =>
        `${file}:${String(line)}:${String(column)}: ${problem}. ${fix}.`,
    ),
    ...policy.destinations.flatMap((destination) =>
      destinationWarnings(destination, policy).map((text) => `${placeOf(loaded, destination.id)}: ${text}`),
    ),
    ...[...policy.services.keys()]
      .filter((name) => ![...policy.agents.values()].some(({ services }) => services?.includes(name) ?? true))
      .map((name) => `${placeOf(loaded, `services.${name}`)}: no agent may use service ${name}.`),
  ]
}

function destinationWarnings(destination: Destination, { services }: Policy): string[] {
  const { host, scheme, ports, service, mode, allowPrivateAddresses, addresses, rules } = destination
  const credential = service === null ? null : (services.get(service)?.credential ?? null)
  return [
    ...(scheme === 'http' && credential !== null
      ? [`${credential.id} is sent to ${host.text} unencrypted. Anyone on the network path can read it.`]
      : []),
    ...(scheme === 'http' && credential === null
      ? [`requests to ${host.text} are not encrypted, and the server is not authenticated.`]
      : []),
    ...(mode === 'tunnel' ? [`${host.text} is a tunnel: the gateway cannot inspect its requests.`] : []),
    ...(credential !== null && services.get(service ?? '')?.sessionHeaders === 'pass'
      ? [
          `session cookies and tokens of ${host.text} reach the sandbox, and are as powerful as ${credential.id}.`,
        ]
      : []),
    ...ports.flatMap((port) => {
      const protocol = foreignProtocolOf(port)
      return protocol === null
        ? []
        : [
            `port ${String(port)} of ${host.text} is open to TLS and HTTP alone: ${protocol} is closed at once.`,
          ]
    }),
    ...((addresses ?? []).length > 0
      ? [`${host.text} may resolve to addresses in ${(addresses ?? []).join(', ')}.`]
      : []),
    ...(allowPrivateAddresses ? [`${host.text} may resolve to private and loopback addresses.`] : []),
    ...(service === null && mode === 'intercept' && rules.some(isOpen)
      ? [`any method on any path of ${host.text} is allowed, uploads included.`]
      : []),
  ]
}

/** What becomes of the audit log, as far as the policy says. */
function describeAudit({ audit }: PolicyOnDisk): string[] {
  const { keepMs, maxBytes, compress, anchor } = audit
  const parts = [
    ...(keepMs == null ? [] : [`closed files are kept for ${spell(keepMs)}`]),
    ...(maxBytes == null
      ? []
      : [`above ${(maxBytes / 1024 ** 3).toFixed(2)} GiB the oldest closed files are removed`]),
    ...(compress === 'gzip' ? ['closed files are compressed'] : []),
    ...(anchor == null ? [] : [`each checkpoint goes to ${anchor}`]),
  ]
  return parts.length === 0 ? [] : ['', `Audit log: ${parts.join('; ')}.`]
}

function spell(ms: number): string {
  const [amount, unit] = ms % DAY_MS === 0 ? [ms / DAY_MS, 'day'] : [ms / 3_600_000, 'hour']
  return `${String(Math.round(amount * 100) / 100)} ${unit}${amount === 1 ? '' : 's'}`
}

const DAY_MS = 86_400_000

function ignoredWarning(env: Environment, { proxies }: Policy): readonly string[] {
  const ignored = ignoredProxies(env, proxies)
  return ignored === null ? [] : [`${ignored}.`]
}

function isOpen(rule: Rule): boolean {
  if (!isHttpRule(rule)) return false
  const { methods, path } = rule.match
  return methods === null && path.recursive && path.segments.length === 0
}
