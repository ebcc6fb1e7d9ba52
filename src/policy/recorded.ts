import { METHODS } from 'node:http'
import { isObserved } from '#firewall/contracts/observed.js'
import { outcomeOf } from '#firewall/contracts/reasons.js'
import { parseHostname } from '#firewall/names/hostname.js'
import type { Scheme } from '#firewall/contracts/origin.js'
import type { LogLine } from '../logs/read.js'
import type { Question } from './question.js'

/** What a record of the audit log says that an agent asked for. */
export type RecordedQuestion =
  | Question
  /** A CONNECT, or a connection by TLS of which no request is known. */
  | {
      readonly kind: 'authority'
      readonly host: string
      readonly port: number
      /** Null where it is not known yet, behind a CONNECT. */
      readonly scheme: Scheme | null
    }

/** A decision of a gateway, read from its log. The log may come from anywhere, so nothing in it is believed but its form. */
export interface Recorded {
  readonly agent: string
  readonly question: RecordedQuestion
  readonly verdict: 'allow' | 'deny' | 'observe'
  readonly reason: string | null
  readonly rule: string | null
  readonly service: string | null
  readonly credential: string | null
  readonly detail: string | null
  /** How often, where several stand in one record. */
  readonly count: number
  /** Whether it looks like an attempt to carry data out, to the gateway that recorded it. */
  readonly suspicious: boolean
  /** Type of a DNS query. */
  readonly type: string | null
}

/** Path and query were shortened for the record. No text of a sandbox can contain this: its quotes are escaped. */
const SHORTENED = '"target":{"bytes":'

/** The decision that a line records; null for other records, and for decisions without an agent or with a target that is not whole. */
export function recordedIn(line: LogLine): Recorded | null {
  const { shown, agent, service, credential, text } = line
  if (agent === null) return null
  const found = (question: RecordedQuestion | null, more: Partial<Recorded>): Recorded | null => {
    if (question === null || !('verdict' in shown.event)) return null
    const { reason, rule } = shown.event
    const verdict: Recorded['verdict'] = isObserved(shown.event) ? 'observe' : shown.event.verdict
    const known = { agent, question, verdict, reason, rule, service, credential }
    return { ...known, detail: null, count: 1, suspicious: false, type: null, ...more }
  }
  if (shown.type === 'query') {
    const { question, suspicious } = shown.event
    return found(nameOf(question?.name ?? null), { suspicious, type: question?.type ?? null })
  }
  if (shown.type === 'decision' && !text.includes(SHORTENED)) {
    const { detail } = shown.event
    return found(questionOf(shown.event), { detail })
  }
  if (shown.type === 'repeat') {
    const { action, host, count, method } = shown.event
    const isQuery = action === 'dns-query'
    // Which paths these requests had is not in the log.
    if (!isQuery && shown.event.reason !== 'host-not-listed') return null
    return found(nameOf(host), { count, type: isQuery ? method : null })
  }
  return null
}

function nameOf(name: string | null): RecordedQuestion | null {
  const host = parseHostname(name ?? '')
  return host === null ? null : { kind: 'name', host }
}

type Decision = Extract<LogLine['shown'], { type: 'decision' }>['event']

function questionOf({
  kind,
  method,
  scheme,
  host: named,
  port,
  path,
  query,
}: Decision): RecordedQuestion | null {
  const host = parseHostname(named ?? '')
  if (host === null || !isPort(port)) return null
  const isHttp = scheme === 'http' || scheme === 'https'
  switch (kind) {
    case 'connect':
      return { kind: 'authority', host, port, scheme: null }
    case 'tls':
    case 'tunnel':
      return { kind: 'authority', host, port, scheme: 'https' }
    case 'request':
    case 'upgrade': {
      if (method === null || !METHODS.includes(method) || method === 'CONNECT') return null
      if (!isHttp || path === null) return null
      const target = `${path}${query ?? ''}`
      return {
        ...{ kind: 'request', verb: method, method, scheme, host, port, target },
        ...{ contentType: null, document: null },
      }
    }
    default:
      // Look-ups and requests for tokens are the gateway's own.
      return null
  }
}

function isPort(port: number | null): port is number {
  return port !== null && Number.isInteger(port) && port > 0 && port < 65_536
}

/** Denials that follow from the policy and from what is recorded, and from nothing else. */
const BY_POLICY: readonly string[] = [
  ...['host-not-listed', 'port-not-listed', 'no-rule', 'denied-by-rule', 'ambiguous-path', 'tunnel-only'],
  ...['name-looks-encoded', 'path-form', 'path-escape', 'path-double-encoding', 'path-dot-segment'],
  'path-backslash',
]

/** Whether a recorded denial would be another one by another policy: not what a limit, a header or an upstream decided. */
export function isByPolicy(reason: string | null): boolean {
  return reason !== null && BY_POLICY.includes(reason) && outcomeOf(reason) === 'denied'
}
