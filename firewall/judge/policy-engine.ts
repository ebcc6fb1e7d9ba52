import { matchHost } from '../names/host-pattern.js'
import type { NameLimits } from '../names/name-profiles.js'
import { matchPath } from '../rules/path-pattern.js'
import type { Destination, Policy, Rule, Scheme, Service } from '../contracts/policy.js'
import type { Reason } from '../contracts/reasons.js'
import type { RequestPath } from '../rules/request-path.js'

/** No. `rule` is the rule or destination that says so, or null when nothing in the policy speaks of it. */
export interface Denied {
  readonly allowed: false
  readonly reason: Reason
  readonly rule: string | null
}

export interface NameAllowed {
  readonly allowed: true
  /** Id of the destination that lists the name. */
  readonly rule: string
  /** The wildcard that matched, as written, with the labels that it left open; null for an exact name. */
  readonly wildcard: {
    readonly text: string
    readonly wildcardLabels: readonly string[]
    /** Its own limits on names, or null. */
    readonly limits: NameLimits | null
  } | null
}

export interface AuthorityAllowed {
  readonly allowed: true
  /** The destinations whose host, scheme and port match, in the order of the policy. Never empty. */
  readonly destinations: readonly [Destination, ...Destination[]]
}

export interface RequestAllowed {
  readonly allowed: true
  readonly destination: Destination
  readonly rule: Rule
  /** The rule of the agent's own that allows it too; null where the agent has none for this service. */
  readonly agentRule: Rule | null
  /** The service that the destination is a target of; null for an `allow` entry. */
  readonly service: Service | null
}

export interface AuthorityInput {
  readonly agent: string
  readonly scheme: Scheme
  /** As `parseHostname` returns it. */
  readonly host: string
  readonly port: number
}

export interface RequestInput extends AuthorityInput {
  readonly method: string
  readonly path: RequestPath
  /** Set by the base-URL listener: only this service's destinations count. */
  readonly service?: string | null
  readonly overrides?: Overrides | null
}

/** Methods and paths that a request names beside its own, and that its server may take instead. */
export interface Overrides {
  readonly methods: readonly string[]
  readonly paths: readonly RequestPath[]
}

/** The same before its service is known. */
type RuleAllowed = Omit<RequestAllowed, 'service'>

interface AgentIndex {
  readonly exact: ReadonlyMap<string, readonly Destination[]>
  readonly wildcard: ReadonlyMap<string, readonly Destination[]>
}

/**
 * The policy engine. DNS, proxy and command line ask it, and nobody else decides. Its answers depend on its arguments and the
 * policy alone, and take time by the number of labels in the name, not by the number of rules.
 */
export class PolicyEngine {
  readonly #agents: ReadonlyMap<string, AgentIndex>
  readonly #services: Policy['services']

  constructor(policy: Policy) {
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

  /** May this agent know and look up this name (as `parseHostname` returns it)? */
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

  /** May this agent talk to this host and port at all? */
  evaluateAuthority({ agent, scheme, host, port }: AuthorityInput): AuthorityAllowed | Denied {
    const listed = this.#lookUp(agent, host)
    const [first, ...others] = listed.filter((d) => d.scheme === scheme && d.ports.includes(port))
    if (first !== undefined) return { allowed: true, destinations: [first, ...others] }
    return listed[0] === undefined
      ? { allowed: false, reason: 'host-not-listed', rule: null }
      : { allowed: false, reason: 'port-not-listed', rule: listed[0].id }
  }

  /**
   * May this agent make this request? Every reading of the path must get the same answer from the same rule, and whatever
   * method or path the server may take instead must be allowed too.
   */
  evaluateRequest(input: RequestInput): RequestAllowed | Denied {
    const verdict = this.#evaluateReadings(input)
    if (!verdict.allowed) return verdict
    return { ...verdict, service: this.#services.get(verdict.destination.service ?? '') ?? null }
  }

  #evaluateReadings(input: RequestInput): RuleAllowed | Denied {
    const { method, path, overrides } = input
    const verdict = this.#evaluateReading(input)
    const named = methodsInQuery(path.query)
    if (overrides == null && named.length === 0) return verdict
    const { methods, paths } = overrides ?? { methods: [], paths: [] }
    const others = [method, ...[...methods, ...named].map((other) => other.toUpperCase())].flatMap((one) =>
      [path, ...paths].map((other) => this.#evaluateReading({ ...input, method: one, path: other })),
    )
    return others.find(({ allowed }) => !allowed) ?? verdict
  }

  #evaluateReading(question: RequestInput): RuleAllowed | Denied {
    const authority = this.evaluateAuthority(question)
    if (!authority.allowed) return authority
    const candidates = authority.destinations.filter(
      ({ mode, service }) =>
        mode === 'intercept' && (question.service == null || question.service === service),
    )
    if (candidates[0] === undefined) {
      return { allowed: false, reason: 'tunnel-only', rule: authority.destinations[0].id }
    }
    const verdict = agreed(question, candidates, candidates[0].id)
    if (!verdict.allowed) return verdict
    // What an agent may do at a service is what the service's rules and its own allow.
    const { destination, rule } = verdict
    const own = destination.agentRules?.[question.agent]
    if (own === undefined) return verdict
    const second = agreed(question, [{ ...destination, rules: own }], `agents.${question.agent}`)
    return second.allowed ? { allowed: true, destination, rule, agentRule: second.rule } : second
  }

  /**
   * Destinations whose host pattern matches: an exact name hides every wildcard, and a nearer suffix hides a farther
   * one, so that what holds for a name can be read off one place of the policy.
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

/** WordPress, Symfony and others take `?_method=DELETE` for the method. */
function methodsInQuery(query: string): readonly string[] {
  return /_method|%/.test(query) ? new URLSearchParams(query).getAll('_method') : []
}

/** The one answer of all readings of the path. */
function agreed(
  { method, path }: RequestInput,
  destinations: readonly Destination[],
  place: string,
): RuleAllowed | Denied {
  const [verdict, ...others] = path.readings.map((reading) => firstMatch(destinations, method, reading))
  if (others.some((other) => other?.rule !== verdict?.rule)) {
    return { allowed: false, reason: 'ambiguous-path', rule: place }
  }
  if (verdict == null) return { allowed: false, reason: 'no-rule', rule: place }
  const { destination, rule } = verdict
  if (rule.effect === 'deny') return { allowed: false, reason: 'denied-by-rule', rule: rule.id }
  return { allowed: true, destination, rule, agentRule: null }
}

function firstMatch(
  destinations: readonly Destination[],
  method: string,
  path: string,
): { destination: Destination; rule: Rule } | null {
  for (const destination of destinations) {
    for (const rule of destination.rules) {
      if (matchMethod(rule, method) && matchPath(rule.path, path)) {
        return { destination, rule }
      }
    }
  }
  return null
}

/** TRACE sends a request's headers back, the credential among them (RFC 9110 section 9.3.8): only a rule that names it. */
function matchMethod({ methods }: Rule, method: string): boolean {
  return methods === null ? method !== 'TRACE' : methods.includes(method)
}
