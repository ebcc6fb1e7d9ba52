import { statusOf } from '#firewall/contracts/reasons.js'
import type { Credential } from '#firewall/contracts/credential.js'
import type { Denial } from '../contracts/denial.js'
import type { HttpDecision, Redaction } from '../contracts/events.js'
import type { FlowEnd } from '../records/flow.js'
import type { Tally } from '../redaction/redact.js'
import type { Exchange, ForwardResult } from './exchange.js'

/** Longest text of the sandbox's own making that a record holds; the rest is cut, and the cut is marked. */
const MAX_TEXT = 2048

function clip(text: string | null): string | null {
  return text === null || text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)}…`
}

/** The decision about an exchange; `denial` is null for an allowed one. */
export function decisionOf(exchange: Exchange, at: number, denial: Denial | null): HttpDecision {
  const { connection, origin, path, target } = exchange
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

/** What was counted, by credential; secret patterns without an owner are those of the credential that was injected. */
export function redactionsOf(tally: Tally, injected: Credential | null): readonly Redaction[] {
  const counts = new Map<string, number>()
  for (const [owner, count] of tally.byOwner) {
    const credential = owner ?? injected?.id ?? 'unknown'
    counts.set(credential, (counts.get(credential) ?? 0) + count)
  }
  return [...counts].map(([credential, count]) => ({ credential, count }))
}
