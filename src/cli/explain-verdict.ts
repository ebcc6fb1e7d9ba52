import { addressesOf, type Addresses } from '#dns/answer.js'
import { CLASS_IN, rcodeName, TYPE } from '#dns/codes.js'
import { newInquiry, type Decision } from '#dns/flow.js'
import type { DnsReason } from '#dns/replies.js'
import { decideQuery } from '#dns/steps.js'
import type { RegisteredSandbox } from '#firewall/contracts/identity.js'
import type { Scheme } from '#firewall/contracts/origin.js'
import type { Destination } from '#firewall/contracts/policy.js'
import { isReason, statusOf, textOf, type Reason } from '#firewall/contracts/reasons.js'
import type { Rule } from '#firewall/contracts/rule.js'
import type { NameDecision } from '#firewall/contracts/verdict.js'
import {
  describeDestination,
  describeLocations,
  describeQuota,
  describeRule,
} from '#firewall/policy-engine/describe.js'
import { checkName } from '#firewall/policy-engine/name-policy.js'
import { Ledger } from '#firewall/ledger/ledger.js'
import { authorityText } from '#firewall/names/default-port.js'
import { decideName, evaluateAuthority } from '#proxy/connection/evaluate-name.js'
import type { Denial } from '#proxy/contracts/denial.js'
import {
  newInquiry as newRequestInquiry,
  type Inquiry,
  type RequestConnection,
} from '#proxy/request/exchange.js'
import { EVALUATION_STEPS, readsGraphql, runSteps, TARGET_STEPS } from '#proxy/request/decision-steps.js'
import { graphqlContent } from '#proxy/request/graphql-step.js'
import { GATEWAY_HOST, PORTS } from '../common/environment.js'
import { createSnapshot } from '../gateway/snapshot.js'
import { placeOf, type PolicyOnDisk } from '../common/policy-file.js'

/** A verdict, as data for `--json` and as lines of text. */
export interface Explained {
  readonly data: { readonly verdict: 'ALLOW' | 'DENY' } & Readonly<Record<string, unknown>>
  readonly lines: readonly string[]
}

interface ExplainInput {
  readonly loaded: PolicyOnDisk
  readonly agent: string
  /** In the form that `parseHostname` returns. */
  readonly host: string
}

interface ExplainRequest extends ExplainInput {
  readonly method: string
  /** Whether it is a call by gRPC: a POST of that content type. */
  readonly isGrpc: boolean
  /** The document of a request by GraphQL: a POST of that content type; null for other requests. */
  readonly document: string | null
  readonly scheme: Scheme
  readonly port: number
  /** Path and query, exactly as in the request. */
  readonly target: string
}

/** A question comes from no sandbox: what it uses up is counted for a ledger that is thrown away. */
const NOW = 0
const PEER = { address: '127.0.0.1', port: 0 }
const sandboxOf = (agent: string): RegisteredSandbox => ({ id: 'explain', agent, placeholders: new Map() })

/** The resolver's decision: NXDOMAIN for a name that is not listed, REFUSED for a listed one that a limit denies. */
export function explainName({ loaded, agent, host }: ExplainInput): Explained {
  const ledger = new Ledger()
  const { dns: snapshot } = createSnapshot(loaded, ledger, () => NOW)
  const sandbox = sandboxOf(agent)
  // Before the decision charges for the name: what a new sandbox would have left.
  const measured = checkName(snapshot.namePolicy, sandbox, host, NOW, false)
  const decision = decideQuery(
    newInquiry({
      context: {
        identify: () => sandbox,
        limiter: ledger.queries,
        addressOf: () => GATEWAY_ADDRESSES,
      },
      snapshot,
      query: {
        id: 0,
        opcode: 0,
        rd: true,
        question: { name: host, type: TYPE.A, class: CLASS_IN, raw: Buffer.alloc(0) },
        edns: null,
        error: null,
      },
      peer: PEER,
      transport: 'udp',
      time: NOW,
    }),
  )
  if (decision.address !== null && decision.address !== GATEWAY_ADDRESSES.ipv4)
    return localName(host, decision)
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

/** Stands for the gateway's own, which only the sandbox's network knows. */
const GATEWAY_ADDRESSES: Addresses = addressesOf('127.0.0.1')

/** A name that the resolver answers without the policy's destinations. */
function localName(host: string, { rule, address }: Decision): Explained {
  const client = `the address ${address?.text ?? ''}, not the gateway's`
  return {
    data: { verdict: 'ALLOW', name: host, rule, client },
    lines: [`ALLOW  dns ${host}`, `rule  ${rule ?? ''}`, `client  ${client}`],
  }
}

/** What the gateway decides about a request that comes by TLS, by plain HTTP or to a base URL. */
export async function explainRequest(input: ExplainRequest): Promise<Explained> {
  const { loaded, agent, method, isGrpc, document, scheme, host, port, target } = input
  const ledger = new Ledger()
  const { proxy: snapshot } = createSnapshot(loaded, ledger, () => NOW)
  const sandbox = sandboxOf(agent)
  const isBaseUrl = scheme === 'http' && host === GATEWAY_HOST && port === PORTS.reverse
  const verb = isGrpc ? 'grpc' : document === null ? method : 'graphql'
  const what = `${verb} ${scheme}://${authorityText(scheme, host, port)}${target}`
  const deny = (
    { reason, rule, detail = null }: Partial<Denial> & Pick<Denial, 'reason' | 'rule'>,
    request = what,
  ) =>
    denied(
      loaded,
      { reason, rule },
      request,
      { request, status: statusOf(reason), ...(detail === null ? {} : { detail }) },
      detail === null ? [] : [`detail  ${detail}`],
    )
  let checkedName: RequestConnection['checkedName'] = null
  if (scheme === 'https' && !isBaseUrl) {
    // The server name comes first, and a tunnel shows nothing else.
    const name = { snapshot, sandbox, host, port }
    const denial = decideName(name, scheme, NOW, false)
    if (denial !== null) return deny(denial)
    const destination = evaluateAuthority(name, scheme)
    if (!('reason' in destination) && destination.mode === 'tunnel')
      return allowed(input, what, destination, null, null)
    checkedName = { host, snapshot }
  }
  const inquiry = newRequestInquiry({
    connection: {
      listener: isBaseUrl ? 'reverse' : 'transparent',
      sandbox,
      peer: PEER,
      checkedName,
      ...(isBaseUrl ? { host: null, scheme: null, port: null } : { host, scheme, port }),
    },
    snapshot,
    charge: false,
    method,
    requestTarget: target,
    headers: {
      host: authorityText(scheme, host, port),
      ...(isGrpc ? { 'content-type': 'application/grpc' } : {}),
      ...(document === null ? {} : { 'content-type': 'application/graphql' }),
    },
  })
  const context = { ledger, now: () => NOW }
  const denial =
    runSteps(TARGET_STEPS, inquiry, context) ??
    (await readDocument(inquiry, document)) ??
    runSteps(EVALUATION_STEPS, inquiry, context)
  const { origin, verdict } = inquiry
  const asked =
    origin === null
      ? what
      : `${verb} ${origin.scheme}://${authorityText(origin.scheme, origin.host, origin.port)}${inquiry.target ?? ''}`
  if (denial !== null) return deny(denial, asked)
  if (verdict === null) throw new Error('an allowed request has a verdict')
  return allowed(input, asked, verdict.destination, verdict.rule, verdict.agentRule)
}

/** What a request by GraphQL asks for, where the rules look at it. */
async function readDocument(inquiry: Inquiry, document: string | null): Promise<null> {
  const isTold = document !== null || inquiry.method !== 'POST'
  if (isTold && readsGraphql(inquiry))
    inquiry.graphql = await graphqlContent(inquiry, Buffer.from(document ?? ''))
  return null
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
