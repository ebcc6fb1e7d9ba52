import type { SecretRotationEvent } from '#config/secrets/secret-refresher.js'
import type { DnsEvent } from '#dns/events.js'
import type { SandboxRef } from '#firewall/contracts/identity.js'
import type { HttpClose, HttpDecision } from '#proxy/contracts/events.js'

/**
 * Everything that happens, by name. `records.ts` is the one place that spells its fields, for writing and for reading;
 * whoever watches subscribes as an `EventSink`.
 */
export type GatewayEvent =
  | { readonly type: 'query'; readonly event: DnsEvent }
  | { readonly type: 'decision'; readonly event: HttpDecision }
  | { readonly type: 'close'; readonly event: HttpClose }
  | { readonly type: 'sandbox'; readonly event: SandboxEvent }
  | { readonly type: 'rotation'; readonly event: SecretRotationEvent }
  | { readonly type: 'policy'; readonly event: PolicyEvent }
  | { readonly type: 'gap'; readonly event: GapEvent }

/** A sandbox that began or ended. */
export interface SandboxEvent {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly sandbox: SandboxRef
  readonly action: 'sandbox-start' | 'sandbox-end'
  /** The command's first word; its arguments may hold what should not be in a log. */
  readonly command: string
  readonly exitCode: number | null
}

/** A policy that was put in force while the gateway runs, or one that was refused, so that the one before stays. */
export interface PolicyEvent {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly action: 'policy-loaded' | 'policy-rejected'
  /** SHA-256 of the file's text, in hex; null where there is no file. */
  readonly hash: string | null
  /** The same of the policy in force until now. */
  readonly previousHash: string | null
  /** The first line of what is wrong with it, without any secret; null when it was loaded. */
  readonly problem: string | null
}

/** Closing records that could not be written while the log was unavailable. */
export interface GapEvent {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly lost: number
}

/**
 * What a person is shown of an event. All of it is in the record, so a line reads the same as it happens and later. An action
 * that this program does not know is shown by its name.
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
        'id' | 'status' | 'reason' | 'requestBytes' | 'responseBytes' | 'durationMs' | 'redactions'
      >
    }
  | {
      readonly type: 'sandbox'
      readonly event: Pick<SandboxEvent, 'sandbox' | 'action' | 'command' | 'exitCode'>
    }
  | {
      readonly type: 'rotation'
      readonly event: Pick<SecretRotationEvent, 'secret' | 'source' | 'problem'>
    }
  | { readonly type: 'policy'; readonly event: Pick<PolicyEvent, 'action' | 'hash' | 'problem'> }
  | { readonly type: 'gap'; readonly event: Pick<GapEvent, 'lost'> }
  | { readonly type: 'unknown'; readonly event: { readonly action: string; readonly sandbox: string | null } }
