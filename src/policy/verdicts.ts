import { addressesOf, type Addresses } from '#dns/answer.js'
import { CLASS_IN, TYPE } from '#dns/codes.js'
import { newInquiry, type Decision, type ResolverSnapshot } from '#dns/flow.js'
import { decideQuery } from '#dns/steps.js'
import type { RegisteredSandbox } from '#firewall/contracts/identity.js'
import type { Origin, Scheme } from '#firewall/contracts/origin.js'
import type { Destination, Policy } from '#firewall/contracts/policy.js'
import type { Rule } from '#firewall/contracts/rule.js'
import type { NameDecision } from '#firewall/contracts/verdict.js'
import { ExfiltrationBudget } from '#firewall/ledger/exfiltration-budget.js'
import { Ledger } from '#firewall/ledger/ledger.js'
import { QueryLimiter } from '#firewall/ledger/query-limiter.js'
import { authorityText } from '#firewall/names/default-port.js'
import { checkName } from '#firewall/policy-engine/name-policy.js'
import { decideName, evaluateAuthority } from '#proxy/connection/evaluate-name.js'
import { createDecisionSnapshot, type DecisionSnapshot } from '#proxy/context/decision-snapshot.js'
import { deny, type Denial } from '#proxy/contracts/denial.js'
import { EVALUATION_STEPS, readsGraphql, runSteps, TARGET_STEPS } from '#proxy/request/decision-steps.js'
import {
  newInquiry as newRequestInquiry,
  type Inquiry,
  type RequestConnection,
} from '#proxy/request/exchange.js'
import { graphqlContent } from '#proxy/request/graphql-step.js'
import { GATEWAY_HOST, PORTS } from '../common/environment.js'
import { createResolverSnapshot } from '../gateway/resolver-snapshot.js'

/** A name that is asked for. */
export interface AskedName {
  readonly agent: string
  /** In the form that `parseHostname` returns. */
  readonly host: string
}

/** A request, as far as it decides. */
export interface AskedRequest extends AskedName {
  readonly method: string
  readonly scheme: Scheme
  readonly port: number
  /** Path and query, exactly as in the request. */
  readonly target: string
  /** The type of its body, where the rules look at it; null for none. */
  readonly contentType: string | null
  /** What an endpoint of GraphQL would read; null where there is no such body, or it is unknown. */
  readonly document: string | null
}

export interface NameVerdict {
  readonly decision: Decision
  /** The checks of the name alone, before it is charged for. */
  readonly measured: NameDecision
  /** Whether it is answered without the policy's destinations, with another address than the gateway's. */
  readonly isLocal: boolean
}

/** What was allowed, by what. */
export interface Permission {
  readonly destination: Destination
  /** Null for a tunnel, in which nobody sees requests. */
  readonly rule: Rule | null
  readonly agentRule: Rule | null
  /** Id of the credential of its service; where it is injected on placeholders alone, it may not go along. */
  readonly credential: string | null
}

export interface RequestVerdict {
  /** Null if the request would be allowed as far as the policy goes. */
  readonly denial: Denial | null
  /** Null if it is denied, or has to be approved first. */
  readonly allowed: Permission | null
  /** What it may once a person has approved it; null for others. The denial says that it must be approved. */
  readonly afterApproval: (Permission & { readonly asks: readonly Rule[] }) | null
  /** Where it would go; null where that was not found out. */
  readonly origin: Origin | null
  /** Path and query, likewise. */
  readonly target: string | null
  /** Whether the rules ask for a body that nobody told of: the verdict is that for a request without it. */
  readonly lacksDocument: boolean
}

/** A question comes from no sandbox and at no time. */
const NOW = 0
const PEER = { address: '127.0.0.1', port: 0 }
/** Stands for the gateway's own, which only the sandbox's network knows. */
const GATEWAY_ADDRESSES: Addresses = addressesOf('127.0.0.1')

/**
 * What a policy decides, asked without a gateway: the steps of the resolver and of the proxy themselves, up to the first one
 * with an effect. No question charges anything to another one.
 */
export class Verdicts {
  readonly #snapshot: { readonly proxy: DecisionSnapshot; readonly dns: ResolverSnapshot }
  readonly #ledger = new Ledger()

  constructor(policy: Policy) {
    const proxy = createDecisionSnapshot(policy, this.#ledger)
    this.#snapshot = { proxy, dns: createResolverSnapshot(policy, proxy.namePolicy) }
  }

  /** The resolver's decision: NXDOMAIN for a name that is not listed, REFUSED for a listed one that a limit denies. */
  ofName({ agent, host }: AskedName): NameVerdict {
    const { dns } = this.#snapshot
    const namePolicy = { ...dns.namePolicy, budget: new ExfiltrationBudget() }
    const sandbox = sandboxOf(agent)
    const measured = checkName(namePolicy, sandbox, host, NOW, false)
    const decision = decideQuery(
      newInquiry({
        context: {
          identify: () => sandbox,
          limiter: new QueryLimiter(),
          addressOf: () => GATEWAY_ADDRESSES,
        },
        snapshot: { ...dns, namePolicy },
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
    const isLocal = decision.address !== null && decision.address !== GATEWAY_ADDRESSES.ipv4
    return { decision, measured, isLocal }
  }

  /** What is decided about a connection by TLS that goes no further than its server name, or a CONNECT. */
  ofAuthority({ agent, host }: AskedName, scheme: Scheme | null, port: number): Denial | null {
    const name = { snapshot: this.#snapshot.proxy, sandbox: sandboxOf(agent), host, port }
    return decideName(name, scheme, NOW, false)
  }

  /** What the gateway decides about a request that comes by TLS, by plain HTTP or to a base URL. */
  async ofRequest(asked: AskedRequest): Promise<RequestVerdict> {
    const { agent, method, scheme, host, port, target, contentType, document } = asked
    const { proxy: snapshot } = this.#snapshot
    const sandbox = sandboxOf(agent)
    const isBaseUrl = scheme === 'http' && host === GATEWAY_HOST && port === PORTS.reverse
    let checkedName: RequestConnection['checkedName'] = null
    if (scheme === 'https' && !isBaseUrl) {
      // The server name comes first, and a tunnel shows nothing else.
      const name = { snapshot, sandbox, host, port }
      const denial = decideName(name, scheme, NOW, false)
      if (denial !== null) return { ...UNDECIDED, denial }
      const destination = evaluateAuthority(name, scheme)
      if (!('reason' in destination) && destination.mode === 'tunnel')
        return { ...UNDECIDED, allowed: { destination, rule: null, agentRule: null, credential: null } }
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
        ...(contentType === null ? {} : { 'content-type': contentType }),
      },
    })
    const context = { ledger: this.#ledger, now: () => NOW }
    const early = runSteps(TARGET_STEPS, inquiry, context)
    const reads = early === null && readsGraphql(inquiry)
    if (reads) await readDocument(inquiry, document)
    const denied = early ?? runSteps(EVALUATION_STEPS, inquiry, context)
    const asks = denied === null ? inquiry.asks : null
    const denial = asks === null ? denied : deny('approval-required', { rule: asks[0].id })
    return {
      denial,
      allowed: denial === null ? permissionOf(inquiry) : null,
      afterApproval: asks === null ? null : { ...permissionOf(inquiry), asks },
      origin: inquiry.origin,
      target: inquiry.target,
      lacksDocument: reads && document === null && method === 'POST',
    }
  }
}

const UNDECIDED: RequestVerdict = {
  denial: null,
  allowed: null,
  afterApproval: null,
  origin: null,
  target: null,
  lacksDocument: false,
}

const sandboxOf = (agent: string): RegisteredSandbox => ({ id: 'question', agent, placeholders: new Map() })

/** What a request by GraphQL asks for; nothing where nobody told. */
async function readDocument(inquiry: Inquiry, document: string | null): Promise<void> {
  if (document !== null || inquiry.method !== 'POST')
    inquiry.graphql = await graphqlContent(inquiry, Buffer.from(document ?? ''))
}

function permissionOf({ verdict }: Inquiry): Permission {
  if (verdict === null) throw new Error('an allowed request has a verdict')
  const { destination, rule, agentRule, service } = verdict
  return { destination, rule, agentRule, credential: service?.credential?.id ?? null }
}
