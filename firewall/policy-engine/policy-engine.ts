import type { Asked, AuthorityAllowed, Denied, NameAllowed, RequestAllowed } from '../contracts/verdict.js'
import { matchHost } from '../names/host-pattern.js'
import { grpc, grpcReadings, mayBeGrpc } from '../rules/grpc.js'
import { describeField, graphql } from '../rules/graphql.js'
import { http, httpAlternatives } from '../rules/http.js'
import { RULE_KINDS, type RuleKinds } from '../rules/index.js'
import type { RuleKind } from '../rules/rule-kind.js'
import type { Destination, Policy } from '../contracts/policy.js'
import type { Scheme } from '../contracts/origin.js'
import type { Effect, Rule } from '../contracts/rule.js'
import { isObservable, observedDestinations } from './observed.js'
import { GraphqlEndpoints, type GraphqlContent } from './graphql-endpoints.js'
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
   * Everything that the server may take the request for, itself first; all must be allowed, and the first that is not ends it.
   * Each has one subject for every way to read it: an allow rule must match all of them, a deny rule any. Neither list is empty.
   */
  readonly alternatives: readonly (readonly unknown[])[]
}

export interface RequestInput extends AuthorityInput {
  readonly method: string
  readonly path: RequestPath
  /** Set by the base-URL listener: only this service's destinations count. */
  readonly service?: string | null
  /** Methods that headers of the request name beside its own, in upper case. */
  readonly overrides?: readonly string[]
  /** The header as it came: gRPC has rules of its own. */
  readonly contentType?: string | readonly string[] | undefined
  /**
   * What a request to an endpoint of GraphQL asks for, or why that cannot be told; null or absent where its body was not read.
   * Without it such a request is denied.
   */
  readonly graphql?: GraphqlContent | null
}

/** Allowed as far as these rules go, before the service is known, if a person approves it for each of `asks`. */
type RuleAllowed = Omit<RequestAllowed, 'service'> & { readonly asks: readonly Rule[] }

const NO_RULES: readonly Rule[] = Object.freeze([])

interface HostIndex {
  readonly exact: ReadonlyMap<string, readonly Destination[]>
  readonly wildcard: ReadonlyMap<string, readonly Destination[]>
}

/**
 * The policy engine: the resolver, the proxy and the command line ask it for every decision. Verdicts depend only on the
 * arguments and the policy. Finding a host takes time linear in the labels of its name, however many hosts the policy has.
 */
export class PolicyEngine {
  readonly #hosts: HostIndex
  /** By agent. */
  readonly #usable: ReadonlyMap<string, ReadonlySet<Destination>>
  readonly #services: Policy['services']
  readonly #kinds: RuleKinds
  /** The lists of rules that have some for gRPC. */
  readonly #withCalls: ReadonlySet<readonly Rule[]>
  readonly #endpoints: GraphqlEndpoints
  /** Where requests to hosts go that the policy does not list; empty unless a run is observed. */
  readonly #observed: readonly Destination[]

  constructor(policy: Policy, kinds: RuleKinds = RULE_KINDS, observes = false) {
    this.#observed = observes ? observedDestinations(policy) : []
    this.#kinds = kinds
    this.#hosts = indexByHost(policy.destinations)
    const usable = new Map<string, ReadonlySet<Destination>>()
    for (const agent of policy.agents.values()) {
      const destinations = policy.destinations.filter(({ id, service }) =>
        service === null
          ? agent.allow === null || agent.allow.includes(id)
          : agent.services === null || agent.services.includes(service),
      )
      usable.set(agent.name, new Set(destinations))
    }
    this.#usable = usable
    this.#services = policy.services
    const lists = policy.destinations.flatMap(({ rules, agentRules = {} }) => [
      rules,
      ...Object.values(agentRules),
    ])
    this.#withCalls = new Set(lists.filter((rules) => rules.some(({ kind }) => kind === grpc.name)))
    this.#endpoints = new GraphqlEndpoints(lists)
  }

  /** May this agent resolve this name (as `parseHostname` returns it)? */
  evaluateName(agent: string, host: string): NameAllowed | Denied {
    const [first] = this.#lookUp(agent, host)
    if (first === undefined) return { allowed: false, reason: 'host-not-listed', rule: null }
    const { host: pattern, nameLimits: limits } = first
    const wildcard =
      pattern.kind === 'exact'
        ? null
        : { text: pattern.text, wildcardLabels: this.#labelsOf(first, host), limits }
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

  /** May this agent make this HTTP request? Any method that the server may take instead must be allowed too. */
  evaluateRequest(input: RequestInput): RequestAllowed | Asked | Denied {
    const { method, path, overrides = [] } = input
    const alternatives = httpAlternatives(method, path, overrides)
    if (alternatives === null) return { allowed: false, reason: 'head-too-complex', rule: null }
    const judges = this.#judgesOfHead(input, alternatives)
    return this.#evaluate(
      input,
      judges.map((judge) => this.#endpointFirst(input, judge, alternatives.length > 1)),
    )
  }

  /** Whether the rules for this request ask for its body: it goes to an endpoint of GraphQL that they are for. */
  readsGraphql(input: RequestInput): boolean {
    if (this.#endpoints.isEmpty) return false
    const { agent, path, service = null } = input
    const verdict = this.evaluateAuthority(input)
    if (!verdict.allowed) return false
    return verdict.destinations
      .filter((one) => service === null || one.service === service)
      .some(({ rules, agentRules }) =>
        [rules, agentRules?.[agent] ?? []].some((list) => this.#endpoints.mayBe(list, path)),
      )
  }

  /** What the rules that read heads alone say of each alternative. */
  #judgesOfHead(
    { method, path, contentType }: RequestInput,
    alternatives: readonly (readonly { readonly method: string }[])[],
  ): readonly Judge[] {
    const byHttp = alternatives.map((readings) => this.#judge(http.name, readings))
    if (this.#withCalls.size === 0) return byHttp
    const byGrpc = alternatives.map(([subject]) =>
      this.#judge(grpc.name, grpcReadings(subject?.method ?? method, path, contentType)),
    )
    const isOpen = !mayBeGrpc(contentType)
    return byHttp.map((judge, index) => this.#callFirst(byGrpc[index] ?? judge, judge, isOpen))
  }

  /** May this agent send this request, of any protocol that has a rule kind? */
  evaluate(input: EvaluationInput): RequestAllowed | Asked | Denied {
    return this.#evaluate(
      input,
      input.alternatives.map((readings) => this.#judge(input.kind, readings)),
    )
  }

  #judge(kind: string, readings: readonly unknown[]): Judge {
    return (destinations, place) => agreed(this.#kinds.named(kind), readings, destinations, place)
  }

  /**
   * Where there are rules for gRPC, they alone allow calls, and their deny rules hold for every request. Other requests, and
   * calls to destinations without such rules, are for the rules of HTTP.
   *
   * @param isOpen whether no server takes the request for a call
   */
  #callFirst(byGrpc: Judge, byHttp: Judge, isOpen: boolean): Judge {
    return (destinations, place) => {
      const ruled = destinations.filter(({ rules }) => this.#withCalls.has(rules))
      if (ruled.length === 0) return byHttp(destinations, place)
      const verdict = byGrpc(ruled, place)
      if (verdict.allowed || verdict.reason !== 'no-rule') return verdict
      const others = isOpen ? destinations : destinations.filter((one) => !ruled.includes(one))
      return others.length === 0 ? verdict : byHttp(others, place)
    }
  }

  /**
   * What goes to an endpoint of GraphQL is decided by the rules for it alone, and every root field must be allowed. The first
   * destination that has the endpoint decides.
   *
   * @param isSeveral whether a server could take the request for one with another method
   */
  #endpointFirst({ path, graphql: asked = null }: RequestInput, byHead: Judge, isSeveral: boolean): Judge {
    return (destinations, place) => {
      const ruled = destinations.find(({ rules }) => this.#endpoints.mayBe(rules, path))
      if (ruled === undefined) return byHead(destinations, place)
      const subjects = this.#endpoints.subjects(ruled.rules, path, asked, isSeveral)
      if ('reason' in subjects) return { allowed: false, rule: place, ...subjects }
      let first: RuleAllowed | null = null
      for (const subject of subjects) {
        const verdict = this.#judge(graphql.name, [subject])([ruled], place)
        if (!verdict.allowed) return { ...verdict, detail: describeField(subject) }
        first = both(first, verdict)
      }
      return first ?? NO_ALTERNATIVE
    }
  }

  /** @param judges one for each alternative, all of which must allow it */
  #evaluate(
    input: AuthorityInput & { readonly service?: string | null },
    judges: readonly Judge[],
  ): RequestAllowed | Asked | Denied {
    const authority = this.evaluateAuthority(input)
    if (!authority.allowed) return authority
    const candidates = authority.destinations.filter(
      ({ mode, service }) => mode === 'intercept' && (input.service == null || input.service === service),
    )
    if (candidates[0] === undefined) {
      return { allowed: false, reason: 'tunnel-only', rule: authority.destinations[0].id }
    }
    let own: RuleAllowed | null = null
    for (const judge of judges) {
      const verdict = decide(judge, input.agent, candidates)
      if (!verdict.allowed) return verdict
      own = both(own, verdict)
    }
    if (own === null) return NO_ALTERNATIVE
    const { destination, rule, agentRule, asks } = own
    const service = this.#services.get(destination.service ?? '') ?? null
    const granted: RequestAllowed = { allowed: true, destination, rule, agentRule, service }
    const [first, ...others] = asks
    if (first === undefined) return granted
    const refused = { allowed: false, reason: 'approval-required', rule: first.id } as const
    return { ...refused, asks: [first, ...others], granted }
  }

  /**
   * Destinations whose host pattern matches. An exact name overrides every wildcard, and a longer suffix overrides a shorter one,
   * so that one place of the policy shows all rules for a name: also for an agent that may not use that place. Threat: an agent
   * without the service `jira` reaches its host through `*.example.com`.
   */
  #lookUp(agent: string, host: string): readonly Destination[] {
    const usable = this.#usable.get(agent)
    if (usable === undefined) return []
    const exact = this.#hosts.exact.get(host)
    if (exact !== undefined) return exact.filter((one) => usable.has(one))
    for (let dot = host.indexOf('.'); dot >= 0; dot = host.indexOf('.', dot + 1)) {
      const under = this.#hosts.wildcard.get(host.slice(dot + 1))
      const matching = under?.filter((destination) => matchHost(destination.host, host) !== null)
      if (matching?.[0] !== undefined) return matching.filter((one) => usable.has(one))
    }
    // Only what the policy does not mention for anybody: what it gives to other agents, it keeps from this one.
    return this.#observed.length > 0 && isObservable(host) ? this.#observed : []
  }

  /** The labels that a wildcard matches. All of them are the sandbox's choice where the policy does not list the name. */
  #labelsOf(destination: Destination, host: string): readonly string[] {
    return this.#observed.includes(destination) ? host.split('.') : (matchHost(destination.host, host) ?? [])
  }
}

function indexByHost(destinations: readonly Destination[]): HostIndex {
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

/** What the rules of these destinations say of one alternative. @param place what is named where no rule decides */
type Judge = (destinations: readonly Destination[], place: string | null) => RuleAllowed | Denied

/** The first verdict decides where the request goes; each can ask. */
function both(first: RuleAllowed | null, second: RuleAllowed): RuleAllowed {
  return first === null ? second : { ...first, asks: union(first.asks, second.asks) }
}

function union(a: readonly Rule[], b: readonly Rule[]): readonly Rule[] {
  return b.length === 0 ? a : [...new Set([...a, ...b])]
}

/** What an agent may do at a service is what the service's rules and its own both allow. */
function decide(judge: Judge, agent: string, candidates: readonly Destination[]): RuleAllowed | Denied {
  const verdict = judge(candidates, candidates[0]?.id ?? null)
  if (!verdict.allowed) return verdict
  const { destination, rule } = verdict
  const own = destination.agentRules?.[agent]
  if (own === undefined) return verdict
  const place = `agents.${agent}.rules.${destination.service ?? destination.id}`
  const second = judge([{ ...destination, rules: own }], place)
  return second.allowed
    ? { allowed: true, destination, rule, agentRule: second.rule, asks: union(verdict.asks, second.asks) }
    : second
}

/**
 * The first rule that decides: a deny rule that matches any reading, loosely, or an allow or ask rule that matches all of them. If
 * an allow rule matches only some, the others would be decided by another rule; likewise an ask rule, also loosely.
 */
function agreed(
  kind: RuleKind,
  readings: readonly unknown[],
  destinations: readonly Destination[],
  place: string | null,
): RuleAllowed | Denied {
  const denies = kind.matchesLoosely?.bind(kind) ?? kind.matches.bind(kind)
  for (const destination of destinations) {
    for (const rule of destination.rules) {
      if (rule.kind !== kind.name) continue
      if (rule.effect === 'deny') {
        if (!readings.some((reading) => denies(rule.match, reading))) continue
        return { allowed: false, reason: 'denied-by-rule', rule: rule.id }
      }
      const others = readings.filter((reading) => !kind.matches(rule.match, reading))
      if (others.length === readings.length) {
        // Threat: a later rule allows, without asking, a spelling that a lenient server takes for what is asked about.
        if (rule.effect === 'ask' && readings.some((reading) => denies(rule.match, reading)))
          return { allowed: false, reason: 'ambiguous-path', rule: rule.id }
        continue
      }
      // As sent, the path matches a rule that says how the server reads it: other readings only must not be denied.
      const named = kind.namesReading?.(rule.match) === true && kind.matches(rule.match, readings[0])
      const passes = [null, 'allow', rule.effect]
      const agrees = (reading: unknown) => named && passes.includes(firstEffect(kind, destinations, reading))
      if (!others.every(agrees)) return { allowed: false, reason: 'ambiguous-path', rule: place }
      return {
        allowed: true,
        destination,
        rule,
        agentRule: null,
        asks: rule.effect === 'ask' ? [rule] : NO_RULES,
      }
    }
  }
  return { allowed: false, reason: 'no-rule', rule: place }
}

/** What the rules say of one reading; null if they do not say anything. */
function firstEffect(kind: RuleKind, destinations: readonly Destination[], reading: unknown): Effect | null {
  for (const { rules } of destinations) {
    const rule = rules.find((one) => one.kind === kind.name && kind.matches(one.match, reading))
    if (rule !== undefined) return rule.effect
  }
  return null
}
