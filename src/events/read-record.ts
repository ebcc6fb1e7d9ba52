import type { SandboxRef } from '#firewall/contracts/identity.js'
import type { DnsEvent } from '#dns/events.js'
import type { HttpClose, HttpDecision } from '#proxy/contracts/events.js'
import {
  OPERATOR_ACTIONS,
  type ApprovalEvent,
  type OperatorAction,
  type PolicyEvent,
  type SandboxEvent,
  type ShownEvent,
} from './events.js'

/** One parsed record. */
export interface LogEntry {
  /** ISO 8601, UTC. */
  readonly time: string
  /** Id of the sandbox; null if the record has none. */
  readonly sandbox: string | null
  /** Its agent. Likewise null, as all that follows. */
  readonly agent: string | null
  /** Its labels; empty if it has none. */
  readonly labels: readonly unknown[]
  readonly reason: string | null
  readonly service: string | null
  readonly credential: string | null
  readonly request: string | null
  readonly shown: ShownEvent
}

/** A value of a record by its path, as in `records.ts`; undefined if the record has none. */
type Field = (...keys: readonly string[]) => unknown

/**
 * Null if the line is not a record. Logs of older versions are supported: they have other names for fields that are not shown
 * (`egress.gateway`, `egress.door`, `egress.shape`), and `secret-renewal` for `secret-rotation`.
 */
export function readRecord(line: string): LogEntry | null {
  let record: unknown
  try {
    record = JSON.parse(line)
  } catch {
    return null
  }
  const field: Field = (...keys) => {
    let value = record
    for (const key of keys) {
      if (typeof value !== 'object' || value === null) return undefined
      value = (value as Record<string, unknown>)[key]
    }
    return value
  }
  const time = field('@timestamp')
  const action = field('event', 'action')
  const egress = field('egress')
  if (typeof time !== 'string' || typeof action !== 'string') return null
  if (typeof egress !== 'object' || egress === null) return null
  const sandbox = textAt(field, 'egress', 'sandbox', 'id')
  return {
    time,
    sandbox,
    agent: textAt(field, 'egress', 'sandbox', 'agent') ?? textAt(field, 'egress', 'operator', 'agent'),
    labels: arrayAt(field, 'egress', 'sandbox', 'labels'),
    reason: textAt(field, 'event', 'reason'),
    service: textAt(field, 'egress', 'service'),
    credential: textAt(field, 'egress', 'credential'),
    request: textAt(field, 'http', 'request', 'id'),
    shown: shownOf(action, sandbox, field),
  }
}

function shownOf(action: string, sandbox: string | null, field: Field): ShownEvent {
  switch (action) {
    case 'dns-query':
      return { type: 'query', event: readQuery(field) }
    case 'http-close':
      return { type: 'close', event: readClose(field) }
    case 'sandbox-start':
    case 'sandbox-end':
      return { type: 'sandbox', event: readSandbox(action, sandbox, field) }
    case 'gateway-start':
    case 'gateway-stop':
      return {
        type: 'process',
        event: {
          action,
          version: textAt(field, 'service', 'version') ?? '',
          policyHash: textAt(field, 'egress', 'policy', 'hash'),
        },
      }
    case 'secret-rotation':
    case 'secret-renewal':
      return {
        type: 'rotation',
        event: {
          secret: textAt(field, 'egress', 'secret', 'name') ?? '-',
          source: (textAt(field, 'egress', 'secret', 'source') ?? '-') as 'file',
          problem: textAt(field, 'event', 'reason'),
        },
      }
    case 'policy-loaded':
    case 'policy-rejected':
      return { type: 'policy', event: readPolicy(action, field) }
    case 'approval-requested':
    case 'approval-granted':
    case 'approval-denied':
    case 'approval-expired':
      return { type: 'approval', event: readApproval(action, field) }
    case 'denials-repeated':
      return { type: 'repeat', event: readRepeat(field) }
    case 'audit-reopened':
      return { type: 'reopened', event: { problem: textAt(field, 'event', 'reason') ?? '' } }
    case 'audit-checkpoint':
      return {
        type: 'checkpoint',
        event: { cause: textAt(field, 'egress', 'checkpoint', 'cause') as 'interval' },
      }
    case 'audit-gap':
      return { type: 'gap', event: { lost: numberAt(field, 'egress', 'lost_close_records') ?? 0 } }
  }
  if (isOperatorAction(action)) return { type: 'operator', event: readOperator(action, sandbox, field) }
  if (action.startsWith('http-')) return { type: 'decision', event: readDecision(action, field) }
  return { type: 'unknown', event: { action, sandbox } }
}

type Shown<T extends ShownEvent['type']> = Extract<ShownEvent, { type: T }>['event']

function readQuery(field: Field): Shown<'query'> {
  const name = textAt(field, 'dns', 'question', 'name')
  const type = textAt(field, 'dns', 'question', 'type')
  const answers = field('dns', 'resolved_ip')
  return {
    question: name === null || type === null ? null : { name, type, class: 'IN' },
    verdict: verdictOf(field),
    reason: textAt(field, 'event', 'reason') as DnsEvent['reason'],
    rule: textAt(field, 'rule', 'name'),
    rcode: textAt(field, 'dns', 'response_code'),
    answers: Array.isArray(answers) ? answers.map(String) : [],
    suspicious: field('egress', 'suspicious') === true,
  }
}

function readDecision(action: string, field: Field): Shown<'decision'> {
  const query = textAt(field, 'url', 'query')
  return {
    id: textAt(field, 'http', 'request', 'id') ?? '',
    kind: action.replace('http-', '') as HttpDecision['kind'],
    method: textAt(field, 'http', 'request', 'method'),
    scheme: textAt(field, 'url', 'scheme') as HttpDecision['scheme'],
    host: textAt(field, 'url', 'domain'),
    port: numberAt(field, 'url', 'port'),
    path: textAt(field, 'url', 'path'),
    query: query === null ? null : `?${query}`,
    verdict: verdictOf(field),
    reason: textAt(field, 'event', 'reason') as HttpDecision['reason'],
    detail: textAt(field, 'egress', 'detail'),
    rule: textAt(field, 'rule', 'name'),
    status: numberAt(field, 'http', 'response', 'status_code'),
    credential: textAt(field, 'egress', 'credential'),
  }
}

function readClose(field: Field): Shown<'close'> {
  const count = numberAt(field, 'egress', 'redactions') ?? 0
  return {
    id: textAt(field, 'http', 'request', 'id') ?? '',
    host: textAt(field, 'url', 'domain'),
    status: numberAt(field, 'http', 'response', 'status_code'),
    reason: textAt(field, 'event', 'reason') as HttpClose['reason'],
    requestBytes: numberAt(field, 'http', 'request', 'bytes') ?? 0,
    responseBytes: numberAt(field, 'http', 'response', 'bytes') ?? 0,
    durationMs: (numberAt(field, 'event', 'duration') ?? 0) / 1e6,
    redactions: count === 0 ? [] : [{ credential: '', count }],
  }
}

function readSandbox(action: SandboxEvent['action'], sandbox: string | null, field: Field): Shown<'sandbox'> {
  return {
    action,
    sandbox: readSandboxRef(sandbox ?? '', field),
    command: textAt(field, 'process', 'executable') ?? '',
    exitCode: numberAt(field, 'process', 'exit_code'),
    ...readStart(field),
  }
}

function readSandboxRef(id: string, field: Field): Required<SandboxRef> {
  const labels = arrayAt(field, 'egress', 'sandbox', 'labels').map(String)
  return { id, agent: textAt(field, 'egress', 'sandbox', 'agent') ?? '', labels }
}

function readStart(field: Field): Pick<Shown<'sandbox'>, 'start'> {
  const commandLine = textAt(field, 'process', 'command_line')
  if (commandLine === null) return {}
  return {
    start: {
      user: textAt(field, 'user', 'id') ?? '',
      image: textAt(field, 'container', 'image', 'name'),
      directory: textAt(field, 'process', 'working_directory') ?? '',
      commandLine,
      policyHash: textAt(field, 'egress', 'policy', 'hash'),
    },
  }
}

function isOperatorAction(action: string): action is OperatorAction {
  return OPERATOR_ACTIONS.some((known) => known === action)
}

function readOperator(action: OperatorAction, sandbox: string | null, field: Field): Shown<'operator'> {
  return {
    action,
    sandbox: sandbox === null ? null : readSandboxRef(sandbox, field),
    agent: textAt(field, 'egress', 'operator', 'agent'),
  }
}

function readRepeat(field: Field): Shown<'repeat'> {
  const timeAt = (key: string) => Date.parse(textAt(field, 'event', key) ?? '')
  return {
    action: (textAt(field, 'egress', 'repeated', 'action') ?? 'several') as Shown<'repeat'>['action'],
    verdict: 'deny',
    reason: textAt(field, 'event', 'reason') as Shown<'repeat'>['reason'],
    rule: textAt(field, 'rule', 'name'),
    host: textAt(field, 'destination', 'domain'),
    method: textAt(field, 'egress', 'repeated', 'method'),
    count: numberAt(field, 'egress', 'repeated', 'count') ?? 0,
    first: timeAt('start'),
    last: timeAt('end'),
  }
}

function readApproval(action: ApprovalEvent['action'], field: Field): Shown<'approval'> {
  const query = textAt(field, 'url', 'query')
  const via = textAt(field, 'egress', 'approval', 'via')
  const uid = textAt(field, 'user', 'id')
  return {
    action,
    id: textAt(field, 'egress', 'approval', 'id') ?? '',
    method: textAt(field, 'http', 'request', 'method') ?? '',
    scheme: textAt(field, 'url', 'scheme') === 'http' ? 'http' : 'https',
    host: textAt(field, 'url', 'domain') ?? '',
    port: numberAt(field, 'url', 'port') ?? 0,
    path: textAt(field, 'url', 'path') ?? '',
    query: query === null ? null : `?${query}`,
    scope: textAt(field, 'egress', 'approval', 'scope') as ApprovalEvent['scope'],
    by:
      via === null
        ? null
        : {
            via: via === 'token' ? 'token' : 'socket',
            name: textAt(field, 'user', 'name'),
            uid: uid === null ? null : Number(uid),
          },
    reason: textAt(field, 'event', 'reason') as ApprovalEvent['reason'],
  }
}

function readPolicy(action: PolicyEvent['action'], field: Field): Shown<'policy'> {
  return {
    action,
    hash: textAt(field, 'egress', 'policy', 'hash'),
    problem: textAt(field, 'event', 'reason'),
  }
}

function verdictOf(field: Field): 'allow' | 'deny' {
  // What was observed passed; its rule and its reason say why.
  const verdict = field('egress', 'verdict')
  return verdict === 'allow' || verdict === 'observe' ? 'allow' : 'deny'
}

function arrayAt(field: Field, ...keys: readonly string[]): readonly unknown[] {
  const value = field(...keys)
  return Array.isArray(value) ? value : []
}

function textAt(field: Field, ...keys: readonly string[]): string | null {
  const value = field(...keys)
  return typeof value === 'string' ? value : null
}

function numberAt(field: Field, ...keys: readonly string[]): number | null {
  const value = field(...keys)
  return typeof value === 'number' ? value : null
}
