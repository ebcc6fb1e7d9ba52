import { createHash } from 'node:crypto'
import type { Credential } from '#firewall/contracts/credential.js'
import { denialStatus, type Denial } from '../contracts/denial.js'
import type { HttpDecision, Redaction } from '../contracts/events.js'
import type { FlowEnd } from '../records/flow.js'
import type { Tally } from '../redaction/tally.js'
import type { Exchange, ForwardResult, Inquiry } from './exchange.js'
import { describeGraphql } from './graphql-step.js'
import { overridesIn } from './steering-headers.js'

/** Characters of a path or query that a record holds as they are. */
const MAX_TEXT = 2_048
/** Of a longer one, each run without a separator keeps this many characters at either end: padding cannot hide what follows. */
const KEPT_OF_RUN = 96
/** What is still longer than this keeps as much of both ends. */
const MAX_SHORTENED = 16_384

const LONG_RUN = new RegExp(`[^/&;?=]{${String(2 * KEPT_OF_RUN + 2)},}`, 'g')

/** Shortens a text for people; `target` of the record says how long the whole was, and its hash. */
export function shorten(text: string): string {
  if (text.length <= MAX_TEXT) return text
  const runs = text.replace(LONG_RUN, (run) => `${run.slice(0, KEPT_OF_RUN)}…${run.slice(-KEPT_OF_RUN)}`)
  if (runs.length <= MAX_SHORTENED) return runs
  return `${runs.slice(0, MAX_SHORTENED / 2)}…${runs.slice(-MAX_SHORTENED / 2)}`
}

/** Path and query as they are sent, or as they came where they were not read. */
function targetOf({ path, target }: Exchange): readonly [path: string | null, query: string | null] {
  if (path !== null) return [path.path, path.query === '' ? null : path.query]
  if (target === null) return [null, null]
  const mark = target.indexOf('?')
  return mark < 0 ? [target, null] : [target.slice(0, mark), target.slice(mark)]
}

/** Threat: what a request does may stand behind padding. A record that does not show all of it identifies the rest. */
function digestOf(path: string | null, query: string | null): NonNullable<HttpDecision['target']> | null {
  if ((path?.length ?? 0) <= MAX_TEXT && (query?.length ?? 0) <= MAX_TEXT) return null
  const whole = `${path ?? ''}${query ?? ''}`
  return { bytes: Buffer.byteLength(whole), sha256: createHash('sha256').update(whole).digest('hex') }
}

/** Bytes of a request's head as the sandbox sent it: a header or a URL carries data as well as a body does. */
export function headBytes({ method, requestTarget, headers }: Inquiry): number {
  let bytes = method.length + requestTarget.length + ' HTTP/1.1'.length + 5
  for (const name in headers) {
    const value = headers[name] ?? ''
    if (typeof value === 'string') bytes += name.length + value.length + 4
    else for (const line of value) bytes += name.length + line.length + 4
  }
  return bytes
}

/** An allowed request that names other methods says so in its record: the service may carry out one of them. */
function overridesOf(exchange: Exchange): string | null {
  const named = overridesIn(exchange.headers)
  if (named.length === 0) return null
  const methods = named.filter((method) => method !== exchange.method)
  return methods.length === 0 ? null : `a header names ${methods.join(', ')}`
}

/** The decision about an exchange; `denial` is null for an allowed one. */
export function decisionOf(exchange: Exchange, at: number, denial: Denial | null): HttpDecision {
  const { connection, origin } = exchange
  const [path, query] = targetOf(exchange)
  const { traceparent } = exchange.headers
  return {
    at,
    id: exchange.flow.id,
    sandbox: exchange.sandbox,
    peer: connection.peer,
    listener: connection.listener,
    kind: exchange.downstream.upgrade === null ? 'request' : 'upgrade',
    method: exchange.method,
    scheme: origin?.scheme ?? connection.scheme,
    host: origin?.host ?? connection.host,
    port: origin?.port ?? connection.port,
    path: path === null ? null : shorten(path),
    query: query === null ? null : shorten(query),
    target: digestOf(path, query),
    verdict: denial === null ? 'allow' : 'deny',
    reason: denial?.reason ?? null,
    detail: denial === null ? (describeGraphql(exchange) ?? overridesOf(exchange)) : denial.detail,
    rule: denial === null ? (exchange.verdict?.rule.id ?? null) : denial.rule,
    status: denial === null ? null : denialStatus(denial),
    service: exchange.service,
    credential: denial === null && exchange.injects ? (exchange.credential?.id ?? null) : null,
    traceparent: typeof traceparent === 'string' ? traceparent : null,
    approval: exchange.approval,
    address: exchange.upstream?.addresses[0] ?? null,
  }
}

export function endOf(result: ForwardResult): FlowEnd {
  return {
    outcome: result.denial === null && result.aborted === null ? 'success' : 'failure',
    reason: result.denial?.reason ?? result.aborted,
    detail: result.detail ?? result.denial?.detail ?? null,
    status: result.status,
    requestBytes: result.requestBytes,
    responseBytes: result.responseBytes,
    redactions: result.redactions,
  }
}

const NONE: readonly Redaction[] = Object.freeze([])

/** What was counted, by credential; secret patterns without an owner are those of the credential that was injected. */
export function redactionsOf(tally: Tally, injected: Credential | null): readonly Redaction[] {
  if (tally.byOwner.size === 0) return NONE
  const counts = new Map<string, number>()
  for (const [owner, count] of tally.byOwner) {
    const credential = owner ?? injected?.id ?? 'unknown'
    counts.set(credential, (counts.get(credential) ?? 0) + count)
  }
  return [...counts].map(([credential, count]) => ({ credential, count }))
}
