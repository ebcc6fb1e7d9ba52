import { readYaml } from '#config/yaml/yaml-source.js'
import { isDiagnostic } from '#firewall/contracts/diagnostic.js'
import type { Scheme } from '#firewall/contracts/origin.js'
import type { Destination } from '#firewall/contracts/policy.js'
import { matchHost } from '#firewall/names/host-pattern.js'
import { foreignProtocolOf } from '#firewall/names/well-known-ports.js'
import { isHttpRule } from '#firewall/rules/http.js'
import { parsePathPattern } from '#firewall/rules/path-pattern.js'
import { parseRequestTarget } from '#firewall/rules/request-path.js'
import { isReason, textOf } from '#firewall/contracts/reasons.js'
import { placeOf, type PolicyOnDisk } from '../../common/policy-file.js'
import { printable } from '../../common/hostile-text.js'
import type { Verdicts } from '../verdicts.js'
import type { Evidence, Want } from './evidence.js'
import { suspicionOf } from './suspicion.js'

/** What one want needs: the smallest thing that a policy can say to allow it. */
export type Step = { readonly want: Want } & (
  | {
      readonly kind: 'host'
      readonly host: string
      /** Null where the name alone is known; likewise the next two. */
      readonly origin: { readonly scheme: Scheme; readonly port: number } | null
      readonly method: string | null
      readonly path: string | null
    }
  | { readonly kind: 'rule'; readonly service: string; readonly method: string; readonly path: string }
  | {
      readonly kind: 'agent-rule'
      readonly agent: string
      readonly service: string
      readonly method: string
      readonly path: string
    }
  | { readonly kind: 'agent-list'; readonly agent: string; readonly name: string }
)

/** Why nothing is proposed. */
export interface NoStep {
  readonly why: string
}

/** What is decided now, and on what ground. */
export interface Ground {
  readonly loaded: PolicyOnDisk
  readonly verdicts: Verdicts
  readonly evidence: Evidence
  /** Hosts of which requests are known, not the name alone. */
  readonly requested: ReadonlySet<string>
}

/** Methods that change nothing (RFC 9110 section 9.2.1). TRACE sends credentials back. */
export const READS: readonly string[] = ['GET', 'HEAD', 'OPTIONS']

/** The step that a want needs; null if the policy allows it already. */
export async function propose(want: Want, ground: Ground): Promise<Step | NoStep | null> {
  const { loaded, evidence } = ground
  const { question, agent } = want
  if (!loaded.policy.agents.has(agent)) return { why: 'the policy has no such agent' }
  const denial = await denialOf(want, ground)
  if (denial === null) return null
  const suspicion = suspicionOf(want, evidence)
  if (suspicion !== null) return { why: suspicion }
  const { reason, rule } = denial
  if (question.kind === 'request' && !READS.includes(question.method))
    return { why: `${question.method} may write: allow it by hand if it is meant` }
  switch (reason) {
    case 'host-not-listed':
      return unlisted(want, ground)
    case 'port-not-listed':
      return reach(want, ground)
    case 'no-rule':
      return ruleless(want, rule ?? '', ground)
    case 'denied-by-rule':
      return { why: `a deny rule says no: ${at(rule, loaded)}` }
    default:
      return { why: isReason(reason) ? lowerFirst(textOf(reason)).replace(/\.$/, '') : reason }
  }
}

/** What the policy says now; null if it allows it. */
export async function denialOf(
  { agent, question }: Want,
  { verdicts }: Pick<Ground, 'verdicts'>,
): Promise<{ readonly reason: string; readonly rule: string | null } | null> {
  if (question.kind === 'name') {
    const { verdict, reason, rule } = verdicts.ofName({ agent, host: question.host }).decision
    return verdict === 'allow' ? null : { reason: reason ?? 'internal', rule }
  }
  if (question.kind === 'authority')
    return verdicts.ofAuthority({ agent, host: question.host }, question.scheme, question.port)
  return (await verdicts.ofRequest({ agent, ...question })).denial
}

function unlisted(want: Want, ground: Ground): Step | NoStep {
  const { loaded } = ground
  const { policy, quiet } = loaded
  const { host } = want.question
  if (quiet.some((pattern) => matchHost(pattern, host) !== null))
    return { why: '`quiet` names it, so that its denials are meant' }
  const exact = policy.destinations.filter((one) => one.host.kind === 'exact' && one.host.host === host)
  if (exact.length === 0) return reach(want, ground)
  const [{ service } = { service: null }] = exact
  if (service !== null)
    return {
      why: `it is the host of service ${service} (${placeOf(loaded, `services.${service}`)}), which agent ${want.agent} may not use`,
    }
  if (!exact.every(isReadOnly))
    return {
      why: `agent ${want.agent} may not use ${exact[0]?.id ?? ''} (${placeOf(loaded, exact[0]?.id ?? '')}), which allows more than to read`,
    }
  return { want, kind: 'agent-list', agent: want.agent, name: host }
}

/** A host, or another port of it. */
function reach(want: Want, ground: Ground): Step | NoStep {
  const { policy } = ground.loaded
  const { question } = want
  const { host } = question
  if (Object.hasOwn(policy.dns.hosts, host))
    return { why: '`dns.hosts` gives it an address, past the gateway' }
  const listed = policy.destinations.filter((one) => matchHost(one.host, host) !== null)
  const wide = listed.find((one) => one.host.kind === 'wildcard')
  if (wide !== undefined && !listed.some((one) => one.host.kind === 'exact')) return replaces(wide, ground)
  const tunnel = listed.find(({ mode }) => mode === 'tunnel')
  if (tunnel !== undefined) return { why: `${tunnel.id} is a tunnel, in which nobody sees requests` }
  if (question.kind === 'name') {
    if (ground.requested.has(host))
      return { why: 'what was asked of it is known, and none of it is suggested' }
    return { want, kind: 'host', host, origin: null, method: null, path: null }
  }
  const protocol = foreignProtocolOf(question.port)
  if (protocol !== null) return { why: `port ${String(question.port)} is for ${protocol}` }
  const scheme = question.scheme ?? (question.port === 80 ? 'http' : 'https')
  const origin = { scheme, port: question.port }
  if (question.kind === 'authority') return { want, kind: 'host', host, origin, method: null, path: null }
  const path = exactPath(question.target)
  if (typeof path !== 'string') return path
  return { want, kind: 'host', host, origin, method: question.method, path }
}

/** The policy lists the host, and no rule allows the request. */
function ruleless(want: Want, place: string, ground: Ground): Step | NoStep {
  const { loaded } = ground
  const { question, agent } = want
  if (question.kind !== 'request') return { why: `no rule of ${at(place, loaded)} allows it` }
  if (want.detail !== null) return { why: 'the rules look at its body, which is not in the log' }
  const path = exactPath(question.target)
  if (typeof path !== 'string') return path
  const destination = destinationOf(want, place, loaded)
  if (destination === undefined) return { why: `no rule of ${at(place, loaded)} allows it` }
  if (destination.service === null) {
    if (destination.host.kind === 'wildcard') return replaces(destination, ground)
    const { method, scheme, port, host } = question
    return { want, kind: 'host', host, origin: { scheme, port }, method, path }
  }
  const { service } = destination
  const below = belowBase(path, want, service, loaded)
  if (below === null) return { why: `it is outside the URL of service ${service}` }
  const { method } = question
  return `${place}.`.startsWith(`agents.${agent}.`)
    ? { want, kind: 'agent-rule', agent, service, method, path: below }
    : { want, kind: 'rule', service, method, path: below }
}

/** Threat: an entry for one name takes that name out of a wildcard, for every agent. */
function replaces({ id, host }: Destination, { loaded }: Ground): NoStep {
  return { why: `\`${host.text}\` (${at(id, loaded)}) has it, and an entry of its own would replace that` }
}

function destinationOf({ question }: Want, place: string, { policy }: PolicyOnDisk): Destination | undefined {
  if (question.kind !== 'request') return undefined
  const { host, scheme, port } = question
  const here = policy.destinations.filter(
    (one) => one.scheme === scheme && one.ports.includes(port) && matchHost(one.host, host) !== null,
  )
  return here.find(({ id }) => id === place) ?? (place.startsWith('agents.') ? here[0] : undefined)
}

/** The path as the rules of a service have it, below the path of its URL; null if it is not there. */
function belowBase(
  path: string,
  { question }: Want,
  service: string,
  { policy }: PolicyOnDisk,
): string | null {
  const target = policy.services.get(service)?.targets.find(({ origin }) => origin.host === question.host)
  const base = target?.basePath ?? ''
  if (base === '') return path
  return path.startsWith(`${base}/`) ? path.slice(base.length) : null
}

/** A pattern that matches this path and no other. */
function exactPath(target: string): string | NoStep {
  const path = parseRequestTarget(target)
  if (typeof path === 'string') return { why: 'its path cannot be read in one way only' }
  if (path.path.includes('*')) return { why: 'its path has a `*`, which would be a wildcard in a rule' }
  // A policy takes `${…}` for the name of a secret, wherever it stands.
  if (path.path.includes('${')) return { why: 'its path looks like the name of a secret' }
  if (isDiagnostic(parsePathPattern(path.path))) return { why: 'no rule can name its path alone' }
  return path.path
}

function isReadOnly({ mode, rules }: Destination): boolean {
  return (
    mode === 'intercept' &&
    rules.every(
      (rule) =>
        rule.effect === 'deny' ||
        (isHttpRule(rule) && rule.match.methods?.every((method) => READS.includes(method)) === true),
    )
  )
}

/** Whether the rules of a service are a preset's, so that rules of its own would replace them. */
export function hasPresetRules(service: string, { text, file }: PolicyOnDisk): boolean {
  const value: unknown = readYaml(file, text ?? '').value
  const services = (value as { services?: Record<string, { use?: unknown; rules?: unknown }> } | null)
    ?.services
  const own = services?.[service]
  return own?.use !== undefined && own.rules === undefined
}

function at(place: string | null, loaded: PolicyOnDisk): string {
  if (place === null) return 'the policy'
  return printable(loaded.positions.has(place) ? `${place}, ${placeOf(loaded, place)}` : place)
}

const lowerFirst = (text: string) => `${text.charAt(0).toLowerCase()}${text.slice(1)}`
