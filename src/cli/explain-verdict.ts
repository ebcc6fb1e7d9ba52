import { rcodeName } from '#dns/codes.js'
import type { Decision } from '#dns/flow.js'
import type { DnsReason } from '#dns/replies.js'
import { isReason, statusOf, textOf, type Reason } from '#firewall/contracts/reasons.js'
import type { Rule } from '#firewall/contracts/rule.js'
import type { NameDecision } from '#firewall/contracts/verdict.js'
import {
  describeDestination,
  describeLocations,
  describeQuota,
  describeRule,
} from '#firewall/policy-engine/describe.js'
import { authorityText } from '#firewall/names/default-port.js'
import { placeOf, type PolicyOnDisk } from '../common/policy-file.js'
import { Verdicts, type AskedName, type AskedRequest, type Permission } from '../policy/verdicts.js'

/** A verdict, as data for `--json` and as lines of text. */
export interface Explained {
  readonly data: { readonly verdict: 'ALLOW' | 'ASK' | 'DENY' } & Readonly<Record<string, unknown>>
  readonly lines: readonly string[]
}

interface ExplainInput {
  readonly loaded: PolicyOnDisk
}

/** The resolver's decision: NXDOMAIN for a name that is not listed, REFUSED for a listed one that a limit denies. */
export function explainName({ loaded, agent, host }: ExplainInput & AskedName): Explained {
  const { decision, measured, isLocal } = new Verdicts(loaded.policy).ofName({ agent, host })
  if (isLocal) return localName(host, decision)
  const { features, budget } = measured
  if (decision.verdict === 'allow') {
    const client = "A record with the gateway's address; AAAA if the gateway has IPv6; other types are empty"
    const rule = decision.rule ?? ''
    const wildcard = measured.verdict.allowed ? (measured.verdict.wildcard?.text ?? null) : null
    const place = placeOf(loaded, rule)
    return {
      data: { verdict: 'ALLOW', name: host, rule, place, wildcard, client, features, budget },
      lines: [`ALLOW  dns ${host}`, ...ruleLines(loaded, rule), `client  ${client}`, ...figures(measured)],
    }
  }
  const client = decision.rcode === null ? 'no answer' : rcodeName(decision.rcode)
  const { reason, rule } = decision
  return denied(
    loaded,
    { reason: reason ?? 'internal', rule },
    `dns ${host}`,
    { name: host, client, features, budget },
    [`client  ${client}`, ...figures(measured)],
  )
}

/** A name that the resolver answers without the policy's destinations. */
function localName(host: string, { rule, address }: Decision): Explained {
  const client = `the address ${address?.text ?? ''}, not the gateway's`
  return {
    data: { verdict: 'ALLOW', name: host, rule, client },
    lines: [`ALLOW  dns ${host}`, `rule  ${rule ?? ''}`, `client  ${client}`],
  }
}

/** What the gateway decides about a request that comes by TLS, by plain HTTP or to a base URL. */
export async function explainRequest({
  loaded,
  verb,
  ...asked
}: ExplainInput & AskedRequest & { readonly verb: string }): Promise<Explained> {
  const verdict = await new Verdicts(loaded.policy).ofRequest(asked)
  const { denial, allowed: permission, afterApproval, origin, target } = verdict
  const { scheme, host, port } = origin ?? asked
  const shown = origin === null ? asked.target : (target ?? '')
  const request = `${verb} ${scheme}://${authorityText(scheme, host, port)}${shown}`
  if (permission !== null) return allowed(loaded, 'ALLOW', request, permission)
  if (afterApproval !== null) return asks(loaded, request, afterApproval)
  const { reason, rule, detail } = denial ?? { reason: 'internal', rule: null, detail: null }
  return denied(
    loaded,
    { reason, rule },
    request,
    { request, status: statusOf(reason), ...(detail === null ? {} : { detail }) },
    detail === null ? [] : [`detail  ${detail}`],
  )
}

/** What a person has to approve, and what is sent then. */
function asks(
  loaded: PolicyOnDisk,
  what: string,
  { asks: rules, ...permission }: Permission & { readonly asks: readonly Rule[] },
): Explained {
  const { data, lines } = allowed(loaded, 'ASK', what, permission)
  const { holdMs, expireMs } = loaded.policy.approvals
  const text = `a person must approve it; it is held for ${String(holdMs / 1000)} seconds, and waits for ${String(expireMs / 60_000)} minutes`
  const also = rules.filter(({ id }) => id !== permission.rule?.id && id !== permission.agentRule?.id)
  return {
    data: { ...data, asks: rules.map(({ id }) => id) },
    lines: [...lines, ...also.flatMap(({ id }) => ruleLines(loaded, id)), `approval  ${text}`],
  }
}

function allowed(
  loaded: PolicyOnDisk,
  verdict: 'ALLOW' | 'ASK',
  what: string,
  { destination, rule, agentRule }: Permission,
): Explained {
  const id = rule?.id ?? destination.id
  const service = loaded.policy.services.get(destination.service ?? '')
  const credential = service?.credential ?? null
  const text = rule === null ? describeDestination(destination) : `${rule.effect}: ${rule.text}`
  const meaning =
    rule === null ? 'passes through a TLS tunnel: method and path are not checked' : describeRule(rule)
  return {
    data: {
      verdict,
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
      `${verdict}  ${what}`,
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
  { reason, rule }: { readonly reason: DnsReason; readonly rule: string | null },
  what: string,
  data: Readonly<Record<string, unknown>>,
  lines: readonly string[] = [],
): Explained {
  const place = rule === null ? null : placeOf(loaded, rule)
  const text = rule === null ? null : ruleText(loaded, rule)
  const explanation = isReason(reason) ? textOf(reason) : DNS_ONLY[reason]
  return {
    data: { verdict: 'DENY', ...data, reason, explanation, rule, text, place },
    lines: [
      `DENY  ${what}`,
      ...(rule === null ? [] : ruleLines(loaded, rule)),
      `reason  ${reason}: ${explanation}`,
      ...lines,
    ],
  }
}

/** What the resolver alone can say. */
const DNS_ONLY: Readonly<Record<Exclude<DnsReason, Reason>, string>> = {
  'reverse-name': 'The gateway has no reverse records.',
  'malformed-query': 'The query is malformed.',
  'edns-version': 'The EDNS version is unknown.',
  'name-bytes': 'The name contains bytes that no host name has.',
  opcode: 'Only standard queries are answered.',
  class: 'Only class IN is answered.',
}

function ruleLines(loaded: PolicyOnDisk, id: string, text = ruleText(loaded, id)): string[] {
  return [`rule  ${id}: ${text} (${placeOf(loaded, id)})`]
}

/** Text of the rule in the policy; if the id belongs to a destination, a description of that. */
function ruleText({ policy }: PolicyOnDisk, id: string): string {
  const destination = policy.destinations.find((candidate) => candidate.id === id)
  if (destination !== undefined) return describeDestination(destination)
  const own = policy.destinations
    .flatMap(({ service, agentRules = {} }) =>
      Object.entries(agentRules).map(([agent, rules]) => ({
        id: `agents.${agent}.rules.${service ?? ''}`,
        rules,
      })),
    )
    .find((candidate) => candidate.id === id)
  if (own !== undefined) return own.rules.map((rule) => `${rule.effect}: ${rule.text}`).join(', ')
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
