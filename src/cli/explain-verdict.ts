import { localName } from '#dns/local-names.js'
import {
  describeDestination,
  describeQuota,
  describeRule,
  describeLocations,
} from '#firewall/judge/describe.js'
import type { Denied, NameDecision } from '#firewall/contracts/verdict.js'
import { checkName, type NamePolicy } from '#firewall/judge/name-policy.js'
import type { Destination } from '#firewall/contracts/policy.js'
import type { Rule } from '#firewall/contracts/rule.js'
import type { SandboxRef } from '#firewall/contracts/identity.js'
import type { Scheme } from '#firewall/contracts/origin.js'
import { statusOf, textOf, type Reason } from '#firewall/contracts/reasons.js'
import { parseRequestTarget } from '#firewall/rules/request-path.js'
import { placeOf, type PolicyOnDisk } from './policy-file.js'

/** A verdict, as data for `--json` and as lines of text. */
export interface Explained {
  readonly data: { readonly verdict: 'ALLOW' | 'DENY' } & Readonly<Record<string, unknown>>
  readonly lines: readonly string[]
}

interface ExplainInput {
  readonly loaded: PolicyOnDisk
  readonly namePolicy: NamePolicy
  readonly sandbox: SandboxRef
  /** In the form that `parseHostname` returns. */
  readonly host: string
}

interface ExplainRequest extends ExplainInput {
  readonly method: string
  readonly scheme: Scheme
  readonly port: number
  /** Path and query, exactly as in the request. */
  readonly target: string
}

/** The resolver's answer: NXDOMAIN for a name that is not listed, REFUSED for a listed one that a limit denies. */
export function explainName({ loaded, namePolicy, sandbox, host }: ExplainInput): Explained {
  const local = explainLocalName(loaded, host)
  if (local !== null) return local
  const decision = checkName(namePolicy, sandbox, host, 0, false)
  const { verdict, features, budget } = decision
  if (verdict.allowed) {
    const client = "A record with the gateway's address; AAAA if the gateway has IPv6; other types are empty"
    const { rule, wildcard } = verdict
    return {
      data: {
        verdict: 'ALLOW',
        name: host,
        rule,
        place: placeOf(loaded, rule),
        wildcard: wildcard?.text ?? null,
        client,
        features,
        budget,
      },
      lines: [`ALLOW  dns ${host}`, ...ruleLines(loaded, rule), `client  ${client}`, ...figures(decision)],
    }
  }
  const code = verdict.reason === 'host-not-listed' ? 'NXDOMAIN' : 'REFUSED'
  return denied(loaded, verdict, `dns ${host}`, { name: host, client: code, features, budget }, [
    `client  ${code}`,
    ...figures(decision),
  ])
}

/** Names that the resolver answers without the policy engine. */
function explainLocalName({ policy: { dns } }: PolicyOnDisk, host: string): Explained | null {
  const fixed = Object.hasOwn(dns.hosts, host) ? dns.hosts[host] : undefined
  const local = fixed === undefined ? localName(host) : null
  const address = fixed ?? (local?.kind === 'exists' ? local.addresses.ipv4?.text : null)
  if (address == null) return null
  const rule = local?.kind === 'exists' ? local.rule : 'dns.hosts'
  const client = `the address ${address}, not the gateway's`
  return {
    data: { verdict: 'ALLOW', name: host, rule, client },
    lines: [`ALLOW  dns ${host}`, `rule  ${rule}`, `client  ${client}`],
  }
}

/** The checks of the request pipeline that need no network, in the same order: name, host and port, path, method. */
export function explainRequest(input: ExplainRequest): Explained {
  const { loaded, namePolicy, sandbox, method, scheme, host, port, target } = input
  const what = `${method} ${scheme}://${host}${port === (scheme === 'https' ? 443 : 80) ? '' : `:${port}`}${target}`
  const deny = (verdict: Denied): Explained =>
    denied(loaded, verdict, what, { request: what, status: statusOf(verdict.reason) })
  const { verdict: name } = checkName(namePolicy, sandbox, host, 0, false)
  if (!name.allowed) return deny(name)
  const connection = { agent: sandbox.agent, scheme, host, port }
  const authority = namePolicy.policyEngine.evaluateAuthority(connection)
  if (!authority.allowed) return deny(authority)
  const [first] = authority.destinations
  if (first.mode === 'tunnel') return allowed(input, what, first, null, null)
  const path = parseRequestTarget(target)
  if (typeof path === 'string') return deny({ allowed: false, reason: path, rule: null })
  const verdict = namePolicy.policyEngine.evaluateRequest({ ...connection, method, path })
  return verdict.allowed
    ? allowed(input, what, verdict.destination, verdict.rule, verdict.agentRule)
    : deny(verdict)
}

function allowed(
  { loaded }: ExplainInput,
  what: string,
  destination: Destination,
  rule: Rule | null,
  agentRule: Rule | null,
): Explained {
  const id = rule?.id ?? destination.id
  const service = loaded.policy.services.get(destination.service ?? '')
  const credential = service?.credential ?? null
  const text = rule === null ? describeDestination(destination) : `${rule.effect}: ${rule.text}`
  const meaning =
    rule === null ? 'passes through a TLS tunnel: method and path are not checked' : describeRule(rule)
  return {
    data: {
      verdict: 'ALLOW',
      request: what,
      rule: id,
      text,
      meaning,
      place: placeOf(loaded, id),
      destination: describeDestination(destination),
      credential: credential?.id ?? null,
      locations: credential?.locations ?? {},
      inject: credential === null ? null : (service?.injectWhen ?? null),
      agentRule: agentRule?.id ?? null,
      rate: service?.rate ?? null,
      quota: service?.quota ?? null,
    },
    lines: [
      `ALLOW  ${what}`,
      ...ruleLines(loaded, id, text),
      ...(agentRule === null ? [] : ruleLines(loaded, agentRule.id)),
      `reason  ${meaning}`,
      credential === null
        ? 'credential  none'
        : `credential  ${credential.id} is injected into ${describeLocations(credential.locations)}${service?.injectWhen === 'on_placeholder' ? ', if the request contains its placeholder there' : ''}`,
      ...(service?.rate == null
        ? []
        : [
            `rate  at most ${service.rate.perSecond} requests per second, in bursts of up to ${service.rate.burst}`,
          ]),
      ...(service?.quota == null ? [] : [`quota  at most ${describeQuota(service.quota)}`]),
    ],
  }
}

function denied(
  loaded: PolicyOnDisk,
  { reason, rule }: { readonly reason: Reason; readonly rule: string | null },
  what: string,
  data: Readonly<Record<string, unknown>>,
  lines: readonly string[] = [],
): Explained {
  const place = rule === null ? null : placeOf(loaded, rule)
  const text = rule === null ? null : ruleText(loaded, rule)
  return {
    data: { verdict: 'DENY', ...data, reason, explanation: textOf(reason), rule, text, place },
    lines: [
      `DENY  ${what}`,
      ...(rule === null ? [] : ruleLines(loaded, rule)),
      `reason  ${reason}: ${textOf(reason)}`,
      ...lines,
    ],
  }
}

function ruleLines(loaded: PolicyOnDisk, id: string, text = ruleText(loaded, id)): string[] {
  return [`rule  ${id}: ${text} (${placeOf(loaded, id)})`]
}

/** Text of the rule in the policy; if the id belongs to a destination, a description of that. */
function ruleText({ policy }: PolicyOnDisk, id: string): string {
  const destination = policy.destinations.find((candidate) => candidate.id === id)
  if (destination !== undefined) return describeDestination(destination)
  const rule = policy.destinations
    .flatMap(({ rules, agentRules = {} }) => [rules, ...Object.values(agentRules)].flat())
    .find((candidate) => candidate.id === id)
  return rule === undefined ? '' : `${rule.effect}: ${rule.text}`
}

function figures({ features, limits, budget }: NameDecision): string[] {
  const { maxLength, maxEntropy } = limits.features
  const signal = features.signal === null ? '' : `; over its limit: ${features.signal}`
  const room =
    budget === null
      ? 'not charged: an exact or unlisted name carries no data'
      : budget.spent
        ? `spent: ${budget.limit}`
        : `a new sandbox has ${budget.namesLeft} names and ${budget.bytesLeft} bytes left in this window`
  return [
    `features  ${features.length} characters (wildcard limit: ${maxLength}), ${features.entropy.toFixed(2)} bits per character (limit: ${maxEntropy})${signal}`,
    `budget  ${room}`,
  ]
}
