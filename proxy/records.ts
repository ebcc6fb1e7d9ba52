import { statusOf } from '#firewall/reasons.js'
import type { Credential } from '#firewall/credential.js'
import type { HttpClose, HttpDecision, Redaction } from './events.js'
import { settled, type Binding, type Exchange, type Outcome, type Refusal } from './exchange.js'
import type { Tally } from './redact.js'

/** Longest text of the sandbox's own making that a record holds; the rest is cut, and the cut is marked. */
const MAX_TEXT = 2048

function clip(text: string | null): string | null {
  return text === null || text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)}…`
}

/** The decision about an exchange; `refusal` is null for an allowed one. */
export function decisionOf(exchange: Exchange, at: number, refusal: Refusal | null): HttpDecision {
  const { binding, origin, path, target } = exchange
  return {
    at,
    id: exchange.id,
    sandbox: exchange.sandbox,
    remote: binding.remote,
    door: binding.door,
    kind: exchange.upgrade === null ? 'request' : 'upgrade',
    method: exchange.method,
    scheme: origin?.scheme ?? binding.scheme,
    host: origin?.host ?? binding.host,
    port: origin?.port ?? binding.port,
    path: clip(path?.path ?? target?.replace(/\?.*/s, '') ?? null),
    query: clip(
      path === null ? (target?.match(/\?.*/s)?.[0] ?? null) : path.query === '' ? null : path.query,
    ),
    verdict: refusal === null ? 'allow' : 'deny',
    reason: refusal?.reason ?? null,
    detail: refusal?.detail ?? null,
    rule: refusal === null ? (exchange.verdict?.rule.id ?? null) : refusal.rule,
    status: refusal === null ? null : statusOf(refusal.reason),
    service: exchange.service,
    credential: refusal === null && exchange.injects ? (exchange.credential?.id ?? null) : null,
    address: exchange.upstream?.addresses[0] ?? null,
  }
}

/** What was decided about a connection before any request was read: a CONNECT, a TLS hello, a tunnel. */
export function connectionDecision(
  binding: Binding,
  event: Pick<HttpDecision, 'at' | 'id' | 'kind'> & Partial<HttpDecision>,
): HttpDecision {
  return {
    sandbox: binding.sandbox,
    remote: binding.remote,
    door: binding.door,
    method: event.kind === 'connect' ? 'CONNECT' : null,
    scheme: binding.scheme,
    host: binding.host,
    port: binding.port,
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

export function closeOf(exchange: Exchange, outcome: Outcome, at: number): HttpClose {
  return {
    at,
    id: exchange.id,
    sandbox: settled(exchange.sandbox),
    outcome: outcome.refusal === null && outcome.aborted === null ? 'success' : 'failure',
    reason: outcome.refusal?.reason ?? outcome.aborted,
    detail: outcome.detail ?? outcome.refusal?.detail ?? null,
    status: outcome.status,
    requestBytes: outcome.requestBytes,
    responseBytes: outcome.responseBytes,
    durationMs: at - exchange.startedAt,
    redactions: outcome.redactions,
  }
}

/** What was counted, by credential; needles without an owner are those of the credential that was injected. */
export function redactionsOf(tally: Tally, injected: Credential | null): readonly Redaction[] {
  const counts = new Map<string, number>()
  for (const [owner, count] of tally.byOwner) {
    const credential = owner ?? injected?.id ?? 'unknown'
    counts.set(credential, (counts.get(credential) ?? 0) + count)
  }
  return [...counts].map(([credential, count]) => ({ credential, count }))
}
