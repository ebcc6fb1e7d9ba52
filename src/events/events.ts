import type { SecretRotationEvent } from '#config/secrets/secret-refresher.js'
import type { DnsEvent } from '#dns/events.js'
import type { SandboxRef } from '#firewall/contracts/identity.js'
import type { Scheme } from '#firewall/contracts/origin.js'
import type { HttpClose, HttpDecision } from '#proxy/contracts/events.js'

/**
 * All events of a gateway. `records.ts` defines their fields in the audit log; observers receive them as an `EventSink`.
 */
export type GatewayEvent =
  | { readonly type: 'query'; readonly event: DnsEvent }
  | { readonly type: 'decision'; readonly event: HttpDecision }
  | { readonly type: 'close'; readonly event: HttpClose }
  | { readonly type: 'sandbox'; readonly event: SandboxEvent }
  | { readonly type: 'process'; readonly event: ProcessEvent }
  | { readonly type: 'rotation'; readonly event: SecretRotationEvent }
  | { readonly type: 'policy'; readonly event: PolicyEvent }
  | { readonly type: 'operator'; readonly event: OperatorEvent }
  | { readonly type: 'approval'; readonly event: ApprovalEvent }
  | { readonly type: 'gap'; readonly event: GapEvent }
  | { readonly type: 'repeat'; readonly event: RepeatEvent }
  | { readonly type: 'reopened'; readonly event: ReopenedEvent }
  | { readonly type: 'checkpoint'; readonly event: CheckpointEvent }

/**
 * A signature over the log so far: over its own record, which has the hash of the line before it, and so over every line before.
 */
export interface CheckpointEvent {
  /** Milliseconds since 1970. */
  readonly at: number
  /** The log that it is in, which so cannot stand in the place of another. */
  readonly role: string
  /** `start` and `end` of the process; `rotation` is the last record of a file. */
  readonly cause: 'start' | 'interval' | 'rotation' | 'end'
  /** SHA-256 of what a crash left of a record, between the last one and this; null where there is none. */
  readonly torn: string | null
  /** The public key, in base64. */
  readonly key: string
  /** The last checkpoints of the other logs of this process, so that none can be exchanged or cut alone. */
  readonly others: readonly CheckpointRef[]
  /** Base64; over the line without it (`signedText`). Null until it is signed. */
  readonly signature: string | null
}

export interface CheckpointRef {
  readonly role: string
  readonly sequence: number
  /** SHA-256 of its line, in hexadecimal. */
  readonly hash: string
}

/**
 * Denials of one sandbox that have no record of their own, since it has more of them than the log takes: each was answered,
 * and each is counted in exactly one of these.
 */
export interface RepeatEvent {
  /** Milliseconds since 1970. */
  readonly at: number
  /** Null for unknown clients. */
  readonly sandbox: SandboxRef | null
  /** The action of the records that they would have had; `several` when they differ in it. */
  readonly action: 'dns-query' | `http-${HttpDecision['kind']}` | 'several'
  readonly verdict: 'deny'
  /** Null when they differ in it. Likewise `rule`, `host` and `method`. */
  readonly reason: DnsEvent['reason'] | HttpDecision['reason']
  readonly rule: string | null
  readonly host: string | null
  /** The method of requests, the type of queries. */
  readonly method: string | null
  readonly count: number
  /** Milliseconds since 1970 of the first and the last of them. */
  readonly first: number
  readonly last: number
}

/** The file of the log was moved, replaced or cut by somebody else, and a new one was opened in its place. */
export interface ReopenedEvent {
  /** Milliseconds since 1970. */
  readonly at: number
  /** What was found. */
  readonly problem: string
}

/** A sandbox that began or ended. */
export interface SandboxEvent {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly sandbox: SandboxRef
  readonly action: 'sandbox-start' | 'sandbox-end'
  /** The command's first word; its arguments may contain secrets. */
  readonly command: string
  readonly exitCode: number | null
  /** With a start; older versions do not have it. */
  readonly start?: SandboxStart
}

/** What was started, by whom and under which policy. */
export interface SandboxStart {
  /** Number of the user inside, in decimal. */
  readonly user: string
  /** Null with namespaces, which show the programs of the host. */
  readonly image: string | null
  /** The work directory. */
  readonly directory: string
  /** As a shell would take it, without secrets (`maskCommand`). */
  readonly commandLine: string
  /** SHA-256 of the policy's text, in hex; null if there is no file. */
  readonly policyHash: string | null
}

/** A gateway process that began or ended. One that is killed has no end, as its log has none. */
export interface ProcessEvent {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly action: 'gateway-start' | 'gateway-stop'
  /** Of the program. */
  readonly version: string
  /** SHA-256 of the policy's text, in hex; null if there is no file. */
  readonly policyHash: string | null
}

/** A reload: the policy was put in force, or it was rejected and the previous one stays in force. */
export interface PolicyEvent {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly action: 'policy-loaded' | 'policy-rejected'
  /** SHA-256 of the file's text, in hex; null if there is no file. */
  readonly hash: string | null
  /** SHA-256 of the previous policy's text, likewise. */
  readonly previousHash: string | null
  /** The first line of the error, without secrets; null if the policy was loaded. */
  readonly problem: string | null
}

/** What an operator did to running agents, or what was refused because of that. */
export interface OperatorEvent {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly action: OperatorAction
  /** The one that was stopped or refused; null for an action on all or on an agent. */
  readonly sandbox: SandboxRef | null
  /** The agent that was paused or resumed; null otherwise. */
  readonly agent: string | null
  /** How the operator came in: the admin socket, TCP with the token, or a file that is read at the start. */
  readonly access: 'socket' | 'token' | 'file'
}

export const OPERATOR_ACTIONS = [
  'agent-paused',
  'agent-resumed',
  'sandbox-stopped',
  'all-stopped',
  'all-started',
  'sandbox-refused',
] as const
export type OperatorAction = (typeof OPERATOR_ACTIONS)[number]
/** What became of a request that a person must approve. */
export interface ApprovalEvent {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly action: 'approval-requested' | 'approval-granted' | 'approval-denied' | 'approval-expired'
  /** Of the approval. */
  readonly id: string
  /** Of the request that asked first. */
  readonly request: string
  readonly sandbox: SandboxRef
  readonly method: string
  readonly scheme: Scheme
  readonly host: string
  readonly port: number
  /** As in the decision about the request. Likewise `query`. */
  readonly path: string
  readonly query: string | null
  /** The body, and all of the request (`ApprovalRequest.key`), as SHA-256 in hexadecimal. */
  readonly body: { readonly bytes: number; readonly sha256: string }
  readonly digest: string
  /** Id of the rule that asks. */
  readonly rule: string
  readonly service: string | null
  /** Id of the credential that goes along; never a value. */
  readonly credential: string | null
  /** Milliseconds since 1970: how long it waits, or how long the decision holds. */
  readonly expires: number
  /** What was approved: the request once, or again and again until it expires; null where nothing was. */
  readonly scope: 'once' | 'repeated' | null
  /** Who decided; null where nobody did. */
  readonly by: Decider | null
  /** Why it ended without a decision, or without being used; null for others. */
  readonly reason: 'timed-out' | 'unused' | 'policy-changed' | 'sandbox-ended' | null
}

/** A person, as far as the admin listener knows. */
export interface Decider {
  /** How they reached it. */
  readonly via: 'socket' | 'token'
  /** Login name of the user on this machine, or the name of the token; null if it is not known. */
  readonly name: string | null
  /** Of the user on this machine. */
  readonly uid: number | null
}

/** Closing records that could not be written while the log was unavailable. */
export interface GapEvent {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly lost: number
}

/**
 * The part of an event that is shown to users. The record contains all of it, so a line looks the same live and from the log.
 * An unknown action is shown by its name.
 */
export type ShownEvent =
  | {
      readonly type: 'query'
      readonly event: Pick<
        DnsEvent,
        'question' | 'verdict' | 'reason' | 'rule' | 'rcode' | 'answers' | 'suspicious'
      >
    }
  | {
      readonly type: 'decision'
      readonly event: Pick<
        HttpDecision,
        | 'id'
        | 'kind'
        | 'method'
        | 'scheme'
        | 'host'
        | 'port'
        | 'path'
        | 'query'
        | 'verdict'
        | 'reason'
        | 'detail'
        | 'rule'
        | 'status'
        | 'credential'
      >
    }
  | {
      readonly type: 'close'
      readonly event: Pick<
        HttpClose,
        'id' | 'host' | 'status' | 'reason' | 'requestBytes' | 'responseBytes' | 'durationMs' | 'redactions'
      >
    }
  | {
      readonly type: 'sandbox'
      readonly event: Pick<SandboxEvent, 'sandbox' | 'action' | 'command' | 'exitCode'> & {
        readonly start?: SandboxStart
      }
    }
  | { readonly type: 'process'; readonly event: Pick<ProcessEvent, 'action' | 'version' | 'policyHash'> }
  | {
      readonly type: 'rotation'
      readonly event: Pick<SecretRotationEvent, 'secret' | 'source' | 'problem'>
    }
  | { readonly type: 'policy'; readonly event: Pick<PolicyEvent, 'action' | 'hash' | 'problem'> }
  | {
      readonly type: 'operator'
      readonly event: Pick<OperatorEvent, 'action' | 'sandbox' | 'agent'>
    }
  | {
      readonly type: 'approval'
      readonly event: Pick<
        ApprovalEvent,
        'id' | 'action' | 'method' | 'scheme' | 'host' | 'port' | 'path' | 'query' | 'scope' | 'by' | 'reason'
      >
    }
  | { readonly type: 'gap'; readonly event: Pick<GapEvent, 'lost'> }
  | {
      readonly type: 'repeat'
      readonly event: Pick<
        RepeatEvent,
        'action' | 'verdict' | 'reason' | 'rule' | 'host' | 'method' | 'count' | 'first' | 'last'
      >
    }
  | { readonly type: 'reopened'; readonly event: Pick<ReopenedEvent, 'problem'> }
  | { readonly type: 'checkpoint'; readonly event: Pick<CheckpointEvent, 'cause'> }
  | { readonly type: 'unknown'; readonly event: { readonly action: string; readonly sandbox: string | null } }
