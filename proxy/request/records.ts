import { statusOf } from '#firewall/contracts/reasons.js'
import type { Credential } from '#firewall/contracts/credential.js'
import type { HttpClose, HttpDecision, Redaction } from '../events.js'
import { required, type ConnectionInfo, type Exchange, type ForwardResult, type Denial } from './exchange.js'
import type { Tally } from '../redaction/redact.js'

/** Longest text of the sandbox's own making that a record holds; the rest is cut, and the cut is marked. */
const MAX_TEXT = 2048

function clip(text: string | null): string | null {
  return text === null || text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)}…`
}

/** The decision about an exchange; `refusal` is null for an allowed one. */
export function decisionOf(exchange: Exchange, at: number, denial: Denial | null): HttpDecision {
  const { connection, origin, path, target } = exchange
  return {
    at,
    id: exchange.id,
    sandbox: exchange.sandbox,
    peer: connection.peer,
    listener: connection.listener,
    kind: exchange.upgrade === null ? 'request' : 'upgrade',
    method: exchange.method,
    scheme: origin?.scheme ?? connection.scheme,
    host: origin?.host ?? connection.host,
    port: origin?.port ?? connection.port,
    path: clip(path?.path ?? target?.replace(/\?.*/s, '') ?? null),
    query: clip(
      path === null ? (target?.match(/\?.*/s)?.[0] ?? null) : path.query === '' ? null : path.query,
    ),
    verdict: denial === null ? 'allow' : 'deny',
    reason: denial?.reason ?? null,
    detail: denial?.detail ?? null,
    rule: denial === null ? (exchange.verdict?.rule.id ?? null) : denial.rule,
    status: denial === null ? null : statusOf(denial.reason),
    service: exchange.service,
    credential: denial === null && exchange.injects ? (exchange.credential?.id ?? null) : null,
    address: exchange.upstream?.addresses[0] ?? null,
  }
}

/** What was decided about a connection before any request was read: a CONNECT, a TLS hello, a tunnel. */
export function connectionDecision(
  connection: ConnectionInfo,
  event: Pick<HttpDecision, 'at' | 'id' | 'kind'> & Partial<HttpDecision>,
): HttpDecision {
  return {
    sandbox: connection.sandbox,
    peer: connection.peer,
    listener: connection.listener,
    method: event.kind === 'connect' ? 'CONNECT' : null,
    scheme: connection.scheme,
    host: connection.host,
    port: connection.port,
    path: null,
    query: null,
    verdict: event.reason == null ? 'allow' : 'deny',
    reason: null,
    detail: null,
    rule: null,
    status: event.reason == null ? null : statusOf(event.reason),
    service: null,
    credential: null,
    address: null,
    ...event,
  }
}

export function closeOf(exchange: Exchange, outcome: ForwardResult, at: number): HttpClose {
  return {
    at,
    id: exchange.id,
    sandbox: required(exchange.sandbox),
    outcome: outcome.denial === null && outcome.aborted === null ? 'success' : 'failure',
    reason: outcome.denial?.reason ?? outcome.aborted,
    detail: outcome.detail ?? outcome.denial?.detail ?? null,
    status: outcome.status,
    requestBytes: outcome.requestBytes,
    responseBytes: outcome.responseBytes,
    durationMs: at - exchange.startedAt,
    redactions: outcome.redactions,
  }
}

/** What was counted, by credential; secret patterns without an owner are those of the credential that was injected. */
export function redactionsOf(tally: Tally, injected: Credential | null): readonly Redaction[] {
  const counts = new Map<string, number>()
  for (const [owner, count] of tally.byOwner) {
    const credential = owner ?? injected?.id ?? 'unknown'
    counts.set(credential, (counts.get(credential) ?? 0) + count)
  }
  return [...counts].map(([credential, count]) => ({ credential, count }))
}
