import type { Destination, Policy } from '#firewall/contracts/policy.js'
import { authorityText } from '#firewall/names/default-port.js'
import { matchHost } from '#firewall/names/host-pattern.js'
import { describeDestination } from '#firewall/policy-engine/describe.js'
import { isHttpRule } from '#firewall/rules/http.js'
import type { Question } from '../question.js'
import { answerTo, type Answer } from '../run-tests.js'
import { Verdicts } from '../verdicts.js'
import { hostsOf, requestsOf } from './witnesses.js'

/** Requests that two policies decide otherwise, in the same way. */
export interface DecisionChange {
  readonly effect: 'allows' | 'asks' | 'forbids' | 'changes'
  readonly agents: readonly string[]
  /** `https://api.example.com`, or the pattern of several. */
  readonly where: string
  readonly methods: readonly string[]
  /** One of the requests. */
  readonly example: string
  readonly before: Decided
  readonly after: Decided
}

/** What one policy says. */
export interface Decided {
  readonly verdict: 'allow' | 'ask' | 'deny'
  readonly rule: string | null
  readonly credential: string | null
}

interface Side {
  readonly policy: Policy
  readonly verdicts: Verdicts
}

/** What changes of names and requests between two policies, by agents that both have. */
export async function decisionChanges(before: Policy, after: Policy): Promise<readonly DecisionChange[]> {
  const sides = [before, after].map((policy): Side => ({ policy, verdicts: new Verdicts(policy) }))
  const [a, b] = sides as [Side, Side]
  const all = [...before.destinations, ...after.destinations]
  const hosts = new Map(all.flatMap(({ host }) => hostsOf(host).map((name) => [name, host.text] as const)))
  const changes = new Map<string, DecisionChange>()
  for (const agent of new Set([...before.agents.keys(), ...after.agents.keys()]))
    for (const [host, pattern] of hosts) await compareHost(a, b, agent, host, pattern, changes)
  return mergeAgents([...changes.values()])
}

async function compareHost(
  a: Side,
  b: Side,
  agent: string,
  host: string,
  pattern: string,
  changes: Map<string, DecisionChange>,
): Promise<void> {
  const [here, there] = [a, b].map(({ policy }) => usable(policy, agent, host)) as [
    readonly Destination[],
    readonly Destination[],
  ]
  if (signature(here, agent, host, a.policy) === signature(there, agent, host, b.policy)) return
  const both = [...here, ...there]
  const origins = new Map(
    both.flatMap(({ scheme, ports }) =>
      ports.map((port) => [`${scheme} ${String(port)}`, { scheme, port }] as const),
    ),
  )
  const { methods, targets } = requestsOf(here, there, agent)
  for (const { scheme, port } of origins.values()) {
    const where = `${scheme}://${authorityText(scheme, pattern, port)}`
    for (const target of targets)
      for (const method of methods) {
        const question: Question = {
          kind: 'request',
          ...{ verb: method, method, scheme, host, port, target, contentType: null, document: null },
        }
        const [before, after] = await Promise.all(
          [a, b].map(async ({ verdicts }) => decidedOf(await answerTo(verdicts, agent, question))),
        )
        if (before === undefined || after === undefined || isSame(before, after)) continue
        const example = `${scheme}://${authorityText(scheme, host, port)}${target}`
        note(changes, { agent, where, method, example, before, after })
      }
  }
  noteCalls(here, there, agent, pattern, changes)
}

/** Rules of other kinds are compared one by one: their requests are not paths. */
function noteCalls(
  here: readonly Destination[],
  there: readonly Destination[],
  agent: string,
  where: string,
  changes: Map<string, DecisionChange>,
): void {
  const [before, after] = [here, there].map((list) =>
    list
      .flatMap((one) => [...one.rules, ...(one.agentRules?.[agent] ?? [])])
      .filter((rule) => !isHttpRule(rule))
      .map(({ effect, text }) => `${effect}: ${text}`),
  ) as [string[], string[]]
  const none: Decided = { verdict: 'deny', rule: null, credential: null }
  const add = (text: string, isNew: boolean) => {
    const isAllow = !text.startsWith('deny')
    changes.set(JSON.stringify([agent, where, text, isNew]), {
      ...{ effect: isAllow === isNew ? 'allows' : 'forbids', agents: [agent], where, methods: [] },
      ...{ example: `rule ${text}${isNew ? '' : ' (removed)'}`, before: none, after: none },
    })
  }
  for (const text of after) if (!before.includes(text)) add(text, true)
  for (const text of before) if (!after.includes(text)) add(text, false)
  const isReordered = before.length === after.length && before.every((text) => after.includes(text))
  if (isReordered && before.join('\n') !== after.join('\n'))
    changes.set(JSON.stringify([agent, where, 'order']), {
      ...{ effect: 'changes', agents: [agent], where, methods: [], before: none, after: none },
      example: 'the order of the rules for calls',
    })
}

function decidedOf({ verdict, reason, rule, credential }: Answer): Decided {
  if (verdict === 'allow') return { verdict, rule, credential }
  return { verdict: reason === 'approval-required' ? 'ask' : 'deny', rule, credential: null }
}

function isSame(a: Decided, b: Decided): boolean {
  return a.verdict === b.verdict && a.credential === b.credential
}

const EFFECTS = { allow: 'allows', ask: 'asks', deny: 'forbids' } as const

function note(
  changes: Map<string, DecisionChange>,
  {
    agent,
    where,
    method,
    example,
    before,
    after,
  }: {
    readonly agent: string
    readonly where: string
    readonly method: string
    readonly example: string
    readonly before: Decided
    readonly after: Decided
  },
): void {
  const effect = before.verdict === after.verdict ? 'changes' : EFFECTS[after.verdict]
  const key = JSON.stringify([agent, where, effect, before, after])
  const known = changes.get(key)
  const methods = new Set([...(known?.methods ?? []), method])
  changes.set(key, {
    ...{ effect, agents: [agent], where, methods: [...methods] },
    ...{ example: known?.example ?? example, before, after },
  })
}

function mergeAgents(changes: readonly DecisionChange[]): DecisionChange[] {
  const merged = new Map<string, DecisionChange>()
  for (const change of changes) {
    const { agents, ...rest } = change
    const key = JSON.stringify(rest)
    merged.set(key, { ...rest, agents: [...(merged.get(key)?.agents ?? []), ...agents] })
  }
  return [...merged.values()]
}

/** The destinations of a name that an agent may use, as far as names go. */
function usable({ destinations, agents }: Policy, agent: string, host: string): readonly Destination[] {
  const found = agents.get(agent)
  if (found === undefined) return []
  const { services, allow } = found
  return destinations.filter(
    ({ id, service, host: pattern }) =>
      matchHost(pattern, host) !== null && (service === null ? isIn(allow, id) : isIn(services, service)),
  )
}

/** Null stands for all. */
function isIn(names: readonly string[] | null, name: string): boolean {
  return names === null || names.includes(name)
}

/** Equal for lists that decide alike, without a look at any request. */
function signature(
  usable: readonly Destination[],
  agent: string,
  name: string,
  { destinations, services }: Policy,
): string {
  return JSON.stringify([
    // Also of what other agents use: an exact name takes precedence over a wildcard for everybody.
    destinations.filter(({ host }) => matchHost(host, name) !== null).map(({ host }) => host.text),
    usable.map((one) => [
      describeDestination(one),
      one.rules.map(({ effect, kind, match }) => [effect, kind, match]),
      (one.agentRules?.[agent] ?? []).map(({ effect, kind, match }) => [effect, kind, match]),
      one.service === null ? null : (services.get(one.service)?.credential?.id ?? null),
    ]),
  ])
}
