import type { AuthorityAllowed, Denied, NameAllowed, RequestAllowed } from '../contracts/verdict.js'
import { matchHost } from '../names/host-pattern.js'
import { http, httpAlternatives, type Overrides } from '../rules/http.js'
import { RULE_KINDS, type RuleKinds } from '../rules/index.js'
import type { RuleKind } from '../rules/rule-kind.js'
import type { Destination, Policy } from '../contracts/policy.js'
import type { Rule } from '../contracts/rule.js'
import type { Scheme } from '../contracts/origin.js'
import type { RequestPath } from '../rules/request-path.js'

export interface AuthorityInput {
  readonly agent: string
  readonly scheme: Scheme
  /** As `parseHostname` returns it. */
  readonly host: string
  readonly port: number
}

/** A request of any protocol, as the rules of one kind see it. */
export interface EvaluationInput extends AuthorityInput {
  /** Set by the base-URL listener: only this service's destinations count. */
  readonly service?: string | null
  /** Name of the rule kind that understands the subjects. */
  readonly kind: string
  /**
   * Everything that the server may take the request for, itself first; all must be allowed. Each has one subject for every
   * way to read it; the readings must agree on one rule. Neither list is empty.
   */
  readonly alternatives: readonly (readonly unknown[])[]
}

export interface RequestInput extends AuthorityInput {
  readonly method: string
  readonly path: RequestPath
  /** Set by the base-URL listener: only this service's destinations count. */
  readonly service?: string | null
  readonly overrides?: Overrides | null
}

/** The same before its service is known. */
type RuleAllowed = Omit<RequestAllowed, 'service'>

interface AgentIndex {
  readonly exact: ReadonlyMap<string, readonly Destination[]>
  readonly wildcard: ReadonlyMap<string, readonly Destination[]>
}

/**
 * The policy engine: the resolver, the proxy and the command line ask it for every decision. Verdicts depend only on the
 * arguments and the policy. Finding a host takes time linear in the labels of its name, however many hosts the policy has.
 */
export class PolicyEngine {
  readonly #agents: ReadonlyMap<string, AgentIndex>
  readonly #services: Policy['services']
  readonly #kinds: RuleKinds

  constructor(policy: Policy, kinds: RuleKinds = RULE_KINDS) {
    this.#kinds = kinds
    const agents = new Map<string, AgentIndex>()
    for (const agent of policy.agents.values()) {
      const usable = policy.destinations.filter(({ id, service }) =>
        service === null
          ? agent.allow === null || agent.allow.includes(id)
          : agent.services === null || agent.services.includes(service),
      )
      agents.set(agent.name, indexByHost(usable))
    }
    this.#agents = agents
    this.#services = policy.services
  }

  /** May this agent resolve this name (as `parseHostname` returns it)? */
  evaluateName(agent: string, host: string): NameAllowed | Denied {
    const [first] = this.#lookUp(agent, host)
    if (first === undefined) return { allowed: false, reason: 'host-not-listed', rule: null }
    const { host: pattern, nameLimits: limits } = first
    const wildcard =
      pattern.kind === 'exact'
        ? null
        : { text: pattern.text, wildcardLabels: matchHost(pattern, host) ?? [], limits }
    return { allowed: true, rule: first.id, wildcard }
  }

  /** May this agent connect to this host and port at all? */
  evaluateAuthority({ agent, scheme, host, port }: AuthorityInput): AuthorityAllowed | Denied {
    const listed = this.#lookUp(agent, host)
    const [first, ...others] = listed.filter((d) => d.scheme === scheme && d.ports.includes(port))
    if (first !== undefined) return { allowed: true, destinations: [first, ...others] }
    return listed[0] === undefined
      ? { allowed: false, reason: 'host-not-listed', rule: null }
      : { allowed: false, reason: 'port-not-listed', rule: listed[0].id }
  }

  /** May this agent make this HTTP request? Any method or path that the server may take instead must be allowed too. */
  evaluateRequest(input: RequestInput): RequestAllowed | Denied {
    const alternatives = httpAlternatives(input.method, input.path, input.overrides ?? null)
    return this.evaluate({ ...input, kind: http.name, alternatives })
  }

  /** May this agent send this request, of any protocol that has a rule kind? */
  evaluate(input: EvaluationInput): RequestAllowed | Denied {
    const authority = this.evaluateAuthority(input)
    if (!authority.allowed) return authority
    const candidates = authority.destinations.filter(
      ({ mode, service }) => mode === 'intercept' && (input.service == null || input.service === service),
    )
    if (candidates[0] === undefined) {
      return { allowed: false, reason: 'tunnel-only', rule: authority.destinations[0].id }
    }
    const kind = this.#kinds.named(input.kind)
    const verdicts = input.alternatives.map((readings) => decide(kind, input.agent, candidates, readings))
    const verdict = verdicts.find(({ allowed }) => !allowed) ?? verdicts[0] ?? NO_ALTERNATIVE
    if (!verdict.allowed) return verdict
    return { ...verdict, service: this.#services.get(verdict.destination.service ?? '') ?? null }
  }

  /**
   * Destinations whose host pattern matches. An exact name overrides every wildcard, and a longer suffix overrides a shorter one,
   * so that one place of the policy shows all rules for a name.
   */
  #lookUp(agent: string, host: string): readonly Destination[] {
    const index = this.#agents.get(agent)
    if (index === undefined) return []
    const exact = index.exact.get(host)
    if (exact !== undefined) return exact
    for (let dot = host.indexOf('.'); dot >= 0; dot = host.indexOf('.', dot + 1)) {
      const under = index.wildcard.get(host.slice(dot + 1))
      const matching = under?.filter((destination) => matchHost(destination.host, host) !== null)
      if (matching?.[0] !== undefined) return matching
    }
    return []
  }
}

function indexByHost(destinations: readonly Destination[]): AgentIndex {
  const exact = new Map<string, Destination[]>()
  const wildcard = new Map<string, Destination[]>()
  for (const destination of destinations) {
    const { host } = destination
    const [map, key] = host.kind === 'exact' ? [exact, host.host] : [wildcard, host.suffix]
    const list = map.get(key)
    if (list === undefined) map.set(key, [destination])
    else list.push(destination)
  }
  return { exact, wildcard }
}

/** Fails closed: without a subject there is no rule to match. */
const NO_ALTERNATIVE: Denied = { allowed: false, reason: 'no-rule', rule: null }

/** What an agent may do at a service is what the service's rules and its own both allow. */
function decide(
  kind: RuleKind,
  agent: string,
  candidates: readonly Destination[],
  readings: readonly unknown[],
): RuleAllowed | Denied {
  const verdict = agreed(kind, readings, candidates, candidates[0]?.id ?? null)
  if (!verdict.allowed) return verdict
  const { destination, rule } = verdict
  const own = destination.agentRules?.[agent]
  if (own === undefined) return verdict
  const second = agreed(kind, readings, [{ ...destination, rules: own }], `agents.${agent}`)
  return second.allowed ? { allowed: true, destination, rule, agentRule: second.rule } : second
}

/** The verdict that all readings agree on. */
function agreed(
  kind: RuleKind,
  readings: readonly unknown[],
  destinations: readonly Destination[],
  place: string | null,
): RuleAllowed | Denied {
  const [verdict, ...others] = readings.map((reading) => firstMatch(kind, destinations, reading))
  // As sent, the path matches a rule that says how the server reads it: other readings only must not be denied.
  const named = verdict?.rule.effect === 'allow' && kind.namesReading?.(verdict.rule.match) === true
  const agrees = (other: typeof verdict | undefined) =>
    other?.rule === verdict?.rule || (named && (other == null || other.rule.effect === 'allow'))
  if (!others.every(agrees)) return { allowed: false, reason: 'ambiguous-path', rule: place }
  if (verdict == null) return { allowed: false, reason: 'no-rule', rule: place }
  const { destination, rule } = verdict
  if (rule.effect !== 'allow') return { allowed: false, reason: 'denied-by-rule', rule: rule.id }
  return { allowed: true, destination, rule, agentRule: null }
}

function firstMatch(
  kind: RuleKind,
  destinations: readonly Destination[],
  subject: unknown,
): { destination: Destination; rule: Rule } | null {
  for (const destination of destinations) {
    for (const rule of destination.rules) {
      if (rule.kind === kind.name && kind.matches(rule.match, subject)) return { destination, rule }
    }
  }
  return null
}
