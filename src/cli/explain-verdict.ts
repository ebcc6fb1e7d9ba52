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

/** A verdict for programs and for people. */
export interface Explained {
  readonly data: { readonly verdict: 'ALLOW' | 'DENY' } & Readonly<Record<string, unknown>>
  readonly lines: readonly string[]
}

interface ExplainInput {
  readonly loaded: PolicyOnDisk
  readonly namePolicy: NamePolicy
  readonly sandbox: SandboxRef
  /** As `parseHostname` returns it. */
  readonly host: string
}

interface ExplainRequest extends ExplainInput {
  readonly method: string
  readonly scheme: Scheme
  readonly port: number
  /** Path and query as they would stand in the request. */
  readonly target: string
}

/** What the resolver would answer. NXDOMAIN ends a client's search at once; REFUSED marks a name that is listed. */
export function explainName({ loaded, namePolicy, sandbox, host }: ExplainInput): Explained {
  const local = explainLocalName(loaded, host)
  if (local !== null) return local
  const decision = checkName(namePolicy, sandbox, host, 0, false)
  const { verdict, features: shape, budget } = decision
  if (verdict.allowed) {
    const client = "A with the gateway's own address; AAAA if the gateway has one; any other type is empty"
    const { rule, wildcard } = verdict
    return {
      data: {
        verdict: 'ALLOW',
        name: host,
        rule,
        place: placeOf(loaded, rule),
        wildcard: wildcard?.text ?? null,
        client,
        shape,
        budget,
      },
      lines: [`ALLOW  dns ${host}`, ...ruleLines(loaded, rule), `client  ${client}`, ...figures(decision)],
    }
  }
  const code = verdict.reason === 'host-not-listed' ? 'NXDOMAIN' : 'REFUSED'
  return denied(loaded, verdict, `dns ${host}`, { name: host, client: code, shape, budget }, [
    `client  ${code}`,
    ...figures(decision),
  ])
}

/** Names that the resolver answers before it asks the policy engine. */
function explainLocalName({ policy: { dns } }: PolicyOnDisk, host: string): Explained | null {
  const fixed = Object.hasOwn(dns.hosts, host) ? dns.hosts[host] : undefined
  const local = fixed === undefined ? localName(host) : null
  const address = fixed ?? (local?.kind === 'exists' ? local.addresses.ipv4?.text : null)
  if (address == null) return null
  const rule = local?.kind === 'exists' ? local.rule : 'dns.hosts'
  const client = `the address ${address}, which is not the gateway's`
  return {
    data: { verdict: 'ALLOW', name: host, rule, client },
    lines: [`ALLOW  dns ${host}`, `rule  ${rule}`, `client  ${client}`],
  }
}

/** The checks of the request pipeline that need no network, in its order: name, host and port, path, method. */
export function explainRequest(input: ExplainRequest): Explained {
  const { loaded, namePolicy, sandbox, method, scheme, host, port, target } = input
  const what = `${method} ${scheme}://${host}${port === (scheme === 'https' ? 443 : 80) ? '' : `:${port}`}${target}`
  const deny = (verdict: Denied): Explained =>
    denied(loaded, verdict, what, { request: what, status: statusOf(verdict.reason) })
  const { verdict: name } = checkName(namePolicy, sandbox, host, 0, false)
  if (!name.allowed) return deny(name)
  const asked = { agent: sandbox.agent, scheme, host, port }
  const authority = namePolicy.policyEngine.evaluateAuthority(asked)
  if (!authority.allowed) return deny(authority)
  const [first] = authority.destinations
  if (first.mode === 'tunnel') return allowed(input, what, first, null, null)
  const path = parseRequestTarget(target)
  if (typeof path === 'string') return deny({ allowed: false, reason: path, rule: null })
  const verdict = namePolicy.policyEngine.evaluateRequest({ ...asked, method, path })
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
  const meaning = rule === null ? 'passes as a TLS tunnel: method and path are not seen' : describeRule(rule)
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
        ? 'credential  none is injected'
        : `credential  ${credential.id} is put into ${describeLocations(credential.locations)}${service?.injectWhen === 'on_placeholder' ? ', if the request carries its placeholder there' : ''}`,
      ...(service?.rate == null
        ? []
        : [`rate  at most ${service.rate.perSecond} requests a second, ${service.rate.burst} at once`]),
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

/** A rule as the policy writes it, or the destination that an id without rule means. */
function ruleText({ policy }: PolicyOnDisk, id: string): string {
  const destination = policy.destinations.find((candidate) => candidate.id === id)
  if (destination !== undefined) return describeDestination(destination)
  const rule = policy.destinations
    .flatMap(({ rules, agentRules = {} }) => [rules, ...Object.values(agentRules)].flat())
    .find((candidate) => candidate.id === id)
  return rule === undefined ? '' : `${rule.effect}: ${rule.text}`
}

function figures({ features: shape, limits, budget }: NameDecision): string[] {
  const { maxLength, maxEntropy } = limits.features
  const signal = shape.signal === null ? '' : `; over its limit: ${shape.signal}`
  const room =
    budget === null
      ? 'none is spent: an exact or unlisted name carries nothing'
      : budget.spent
        ? `spent: ${budget.limit}`
        : `a fresh sandbox has ${budget.namesLeft} names and ${budget.bytesLeft} bytes left in this window`
  return [
    `shape  ${shape.length} characters (wildcards: at most ${maxLength}), ${shape.entropy.toFixed(2)} bits a character (at most ${maxEntropy})${signal}`,
    `budget  ${room}`,
  ]
}
