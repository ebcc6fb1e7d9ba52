import type { DnsEvent } from '#dns/events.js'
import type { SecretRotationEvent } from '#config/secrets/secret-refresher.js'
import type { HttpClose, HttpDecision } from '#proxy/contracts/events.js'
import type {
  ApprovalEvent,
  CheckpointEvent,
  GapEvent,
  GatewayEvent,
  OperatorEvent,
  PolicyEvent,
  ProcessEvent,
  ReopenedEvent,
  RepeatEvent,
  SandboxEvent,
} from './events.js'
import { recordedReason, recordedVerdict } from './observed.js'
import { jsonText } from './json-text.js'
import { begin, beginning, jsonSandbox, refOf, type Header } from './record-parts.js'

export type { Header } from './record-parts.js'

/**
 * The audit records, in nested ECS (Elastic Common Schema 8) field names; fields without an ECS name are under `egress`.
 * Field names appear only here, in the reader (`read-record.ts`) and in the schema (docs/audit.schema.json); a test compares
 * the three. Records are built field by field, so nothing else can get into the log.
 */
export type AuditRecord = Readonly<Record<string, unknown>>

/** The record of an event as its line of JSON, without line feed. */
export function recordLine(header: Header, { type, event }: GatewayEvent): string {
  switch (type) {
    case 'query':
      return dnsLine(header, event)
    case 'decision':
      return decisionLine(header, event)
    case 'close':
      return closeLine(header, event)
    case 'sandbox':
      return JSON.stringify(sandboxRecord(header, event))
    case 'process':
      return JSON.stringify(processRecord(header, event))
    case 'rotation':
      return JSON.stringify(rotationRecord(header, event))
    case 'policy':
      return JSON.stringify(policyRecord(header, event))
    case 'operator':
      return JSON.stringify(operatorRecord(header, event))
    case 'approval':
      return JSON.stringify(approvalRecord(header, event))
    case 'gap':
      return JSON.stringify(gapRecord(header, event))
    case 'repeat':
      return JSON.stringify(repeatRecord(header, event))
    case 'reopened':
      return JSON.stringify(reopenedRecord(header, event))
    case 'checkpoint':
      return JSON.stringify(checkpointRecord(header, event))
  }
}

const NANOSECONDS = 1_000_000

/**
 * The record of a query as a line of JSON. Written by hand, because `JSON.stringify` takes longer than the whole policy check;
 * a test compares the two.
 */
export function dnsLine(header: Header, event: DnsEvent): string {
  const { question, sandbox, features, budget } = event
  const allowed = event.verdict === 'allow'
  return (
    begin(header) +
    `"event":{"kind":"event","category":["network"],"type":["protocol","${allowed ? 'allowed' : 'denied'}"],` +
    `"action":"dns-query","outcome":"${allowed ? 'success' : 'failure'}",` +
    `"reason":${jsonText(recordedReason(event))},"sequence":${header.sequence}},` +
    `"rule":{"name":${jsonText(event.rule)}},` +
    `"source":{"ip":${jsonText(event.client.address)},"port":${event.client.port}},` +
    `"network":{"protocol":"dns","transport":"${event.transport}"},` +
    `"dns":{"id":"${event.id}","type":"query","question":${
      question === null
        ? 'null'
        : `{"name":${jsonText(question.name)},"type":${jsonText(question.type)},"class":${jsonText(question.class)}}`
    },"response_code":${jsonText(event.rcode)},"resolved_ip":[${event.answers.map(jsonText).join()}]},` +
    `"egress":{"sandbox":${jsonSandbox(sandbox)},"verdict":"${recordedVerdict(event)}","wildcard":${jsonText(event.wildcard)},"features":${
      features === null
        ? 'null'
        : `{"length":${features.length},"entropy":${features.entropy},"signal":${jsonText(features.signal)}}`
    },"suspicious":${event.suspicious},"budget":${budget === null ? 'null' : JSON.stringify(budget)},` +
    `"previous":${jsonText(header.previous)}}}`
  )
}

/** The record of a decision as a line of JSON, also written by hand. */
export function decisionLine(header: Header, event: HttpDecision): string {
  const allowed = event.verdict === 'allow'
  return (
    begin(header) +
    `"event":{"kind":"event","category":["network","web"],"type":["access","${allowed ? 'allowed' : 'denied'}"],` +
    `"action":"http-${event.kind}","outcome":"${allowed ? 'unknown' : 'failure'}",` +
    `"reason":${jsonText(recordedReason(event))},"sequence":${header.sequence}},` +
    `"rule":{"name":${jsonText(event.rule)}},` +
    `"source":{"ip":${jsonText(event.peer.address)},"port":${event.peer.port}},` +
    `"destination":{"ip":${jsonText(event.address)}},` +
    `"url":{"scheme":${jsonText(event.scheme)},"domain":${jsonText(event.host)},"port":${event.port},` +
    `"path":${jsonText(event.path)},"query":${jsonText(event.query?.replace(/^\?/, '') ?? null)}},` +
    `"http":{"request":{"id":${jsonText(event.id)},"method":${jsonText(event.method)}},` +
    `"response":{"status_code":${event.status}}},` +
    `"egress":{"sandbox":${jsonSandbox(event.sandbox)},"verdict":"${recordedVerdict(event)}",` +
    `"listener":"${event.listener}","service":${jsonText(event.service)},"credential":${jsonText(event.credential)},` +
    (event.approval == null ? '' : `"approval":{"id":${jsonText(event.approval)}},`) +
    (event.target == null ? '' : `"target":${JSON.stringify(event.target)},`) +
    `"detail":${jsonText(event.detail)},"previous":${jsonText(header.previous)}}}`
  )
}

/** The record of the end of a request, also written by hand. */
export function closeLine(header: Header, event: HttpClose): string {
  const { redactions } = event
  return (
    begin(header) +
    `"event":{"kind":"event","category":["network","web"],"type":["end"],"action":"http-close",` +
    `"outcome":"${event.outcome}","reason":${jsonText(event.reason)},` +
    `"duration":${event.durationMs * NANOSECONDS},"sequence":${header.sequence}},` +
    `"url":{"domain":${jsonText(event.host)}},` +
    `"http":{"request":{"id":${jsonText(event.id)},"bytes":${event.requestBytes}},` +
    `"response":{"status_code":${event.status},"bytes":${event.responseBytes}}},` +
    `"egress":{"sandbox":${jsonSandbox(event.sandbox)},` +
    `"service":${jsonText(event.service)},"credential":${jsonText(event.credential)},` +
    `"detail":${jsonText(event.detail)},` +
    `"redactions":${redactions.reduce((sum, { count }) => sum + count, 0)},` +
    `"redacted":${JSON.stringify(redactions)},"previous":${jsonText(header.previous)}}}`
  )
}

export function sandboxRecord(header: Header, event: SandboxEvent): AuditRecord {
  const { action, exitCode, start = null } = event
  return {
    ...beginning(header),
    event: {
      kind: 'event',
      category: ['process'],
      type: [action === 'sandbox-start' ? 'start' : 'end'],
      action,
      outcome: exitCode === null ? 'unknown' : exitCode === 0 ? 'success' : 'failure',
      sequence: header.sequence,
    },
    process: {
      executable: event.command,
      command_line: start?.commandLine ?? null,
      working_directory: start?.directory ?? null,
      exit_code: exitCode,
    },
    user: { id: start?.user ?? null },
    container: { image: { name: start?.image ?? null } },
    egress: {
      sandbox: refOf(event.sandbox),
      policy: { hash: start?.policyHash ?? null },
      previous: header.previous,
    },
  }
}

/** The start or the stop of a gateway that serves many sandboxes. */
export function processRecord(header: Header, event: ProcessEvent): AuditRecord {
  return {
    ...beginning(header),
    event: {
      kind: 'event',
      category: ['process'],
      type: [event.action === 'gateway-start' ? 'start' : 'end'],
      action: event.action,
      outcome: 'success',
      sequence: header.sequence,
    },
    service: { version: event.version },
    egress: { sandbox: null, policy: { hash: event.policyHash }, previous: header.previous },
  }
}

/** A secret that was rotated, or that could not be. */
export function rotationRecord(header: Header, event: SecretRotationEvent): AuditRecord {
  return {
    ...beginning(header),
    event: {
      kind: 'event',
      category: ['configuration'],
      type: ['change'],
      action: 'secret-rotation',
      outcome: event.problem === null ? 'success' : 'failure',
      reason: event.problem,
      sequence: header.sequence,
    },
    egress: {
      sandbox: null,
      secret: { name: event.secret, source: event.source },
      previous: header.previous,
    },
  }
}

/** A policy that was put in force or rejected. */
export function policyRecord(header: Header, event: PolicyEvent): AuditRecord {
  return {
    ...beginning(header),
    event: {
      kind: 'event',
      category: ['configuration'],
      type: ['change'],
      action: event.action,
      outcome: event.action === 'policy-loaded' ? 'success' : 'failure',
      reason: event.problem,
      sequence: header.sequence,
    },
    egress: {
      sandbox: null,
      policy: { hash: event.hash, previous_hash: event.previousHash },
      previous: header.previous,
    },
  }
}

/** What an operator did, or what was refused because of it. */
export function operatorRecord(header: Header, event: OperatorEvent): AuditRecord {
  const { sandbox, agent, access } = event
  return {
    ...beginning(header),
    event: {
      kind: 'event',
      category: ['configuration'],
      type: ['change'],
      action: event.action,
      outcome: event.action === 'sandbox-refused' ? 'failure' : 'success',
      sequence: header.sequence,
    },
    egress: {
      sandbox: refOf(sandbox),
      operator: { agent, access },
      previous: header.previous,
    },
  }
}

const APPROVAL_TYPES = {
  'approval-requested': 'info',
  'approval-granted': 'allowed',
  'approval-denied': 'denied',
  'approval-expired': 'end',
} as const

/** A request that waits for a person, and what became of it. */
export function approvalRecord(header: Header, event: ApprovalEvent): AuditRecord {
  const { action, reason, by, scope, id, expires, digest, body } = event
  const open = action === 'approval-requested' ? 'unknown' : 'failure'
  return {
    ...beginning(header),
    event: {
      kind: 'event',
      category: ['network', 'web'],
      type: [APPROVAL_TYPES[action]],
      action,
      outcome: action === 'approval-granted' ? 'success' : open,
      reason,
      sequence: header.sequence,
    },
    rule: { name: event.rule },
    user: { id: by?.uid == null ? null : String(by.uid), name: by?.name ?? null },
    url: {
      scheme: event.scheme,
      domain: event.host,
      port: event.port,
      path: event.path,
      query: event.query?.replace(/^\?/, '') ?? null,
    },
    http: { request: { id: event.request, method: event.method, body: { bytes: body.bytes } } },
    egress: {
      sandbox: refOf(event.sandbox),
      service: event.service,
      credential: event.credential,
      approval: {
        id,
        expires: new Date(expires).toISOString(),
        scope,
        via: by?.via ?? null,
        digest,
        body_digest: body.sha256,
      },
      previous: header.previous,
    },
  }
}

/** The number of closing records that were lost while the log was unavailable. Written when it is available again. */
export function gapRecord(header: Header, { lost }: GapEvent): AuditRecord {
  return {
    ...beginning(header),
    event: {
      kind: 'event',
      category: ['configuration'],
      type: ['info'],
      action: 'audit-gap',
      outcome: 'failure',
      sequence: header.sequence,
    },
    egress: { sandbox: null, lost_close_records: lost, previous: header.previous },
  }
}

/** Denials that were counted instead of recorded one by one. */
export function repeatRecord(header: Header, event: RepeatEvent): AuditRecord {
  const { action, reason, rule, host, method, count, first, last } = event
  return {
    ...beginning(header),
    event: {
      kind: 'event',
      category: ['network'],
      type: ['denied'],
      action: 'denials-repeated',
      outcome: 'failure',
      reason,
      start: new Date(first).toISOString(),
      end: new Date(last).toISOString(),
      sequence: header.sequence,
    },
    rule: { name: rule },
    destination: { domain: host },
    egress: {
      sandbox: refOf(event.sandbox),
      verdict: 'deny',
      repeated: { action, method, count },
      previous: header.previous,
    },
  }
}

/** The first record of a file that was opened in place of one that is gone. */
export function reopenedRecord(header: Header, { problem }: ReopenedEvent): AuditRecord {
  return {
    ...beginning(header),
    event: {
      kind: 'event',
      category: ['configuration'],
      type: ['change'],
      action: 'audit-reopened',
      outcome: 'failure',
      reason: problem,
      sequence: header.sequence,
    },
    egress: { sandbox: null, previous: header.previous },
  }
}

/** A signature over the log so far. */
export function checkpointRecord(header: Header, event: CheckpointEvent): AuditRecord {
  const { role, cause, torn, key, others, signature } = event
  return {
    ...beginning(header),
    event: {
      kind: 'event',
      category: ['configuration'],
      type: ['info'],
      action: 'audit-checkpoint',
      outcome: 'success',
      sequence: header.sequence,
    },
    egress: {
      sandbox: null,
      checkpoint: { role, cause, torn, key, others },
      previous: header.previous,
      ...(signature === null ? {} : { signature }),
    },
  }
}
