import type { Headers } from '#firewall/contracts/credential.js'
import type { Reason } from '#firewall/contracts/reasons.js'

/**
 * Who asked, as far as the head of the request says. The shape of an answer is chosen from this alone: the body may be unread,
 * and the policy may not list the host.
 */
export interface Asker {
  readonly method: string
  /** The request target as it was sent. */
  readonly target: string
  /** By lower-case name. */
  readonly headers: Headers
}

/** What the client is to be told. */
export interface ErrorMessage {
  readonly reason: Reason
  /** The HTTP status. */
  readonly status: number
  /** The sentence of the reason. */
  readonly title: string
  readonly detail: string | null
  /** Id of the rule or destination that said so. */
  readonly rule: string | null
  readonly requestId: string
  /** Seconds. */
  readonly retryAfter: number | null
  /** Id of the approval that the request waits for, or that was denied. */
  readonly approval: string | null
  /** All of it in one line, for people: it names the firewall and the reason's id. */
  readonly text: string
}

/** An answer in a protocol's own form. */
export interface ErrorResponse {
  /** Differs from the message's where the protocol has its errors elsewhere. */
  readonly status: number
  /** By lower-case name. Those of every denial are added: see `denialResponse`. */
  readonly headers: Readonly<Record<string, string>>
  /** Null for an answer that ends with its head. */
  readonly body: string | null
}

/**
 * How the clients of one protocol are told of an error, so that they print it. To add one: a file in this folder, and its name
 * in `index.ts`. Both methods are pure and never throw, whatever the head says.
 */
export interface ErrorShape {
  /** For the reader of the table and of the tests. */
  readonly name: string
  /** Whether a client that sends this head reads errors of this shape. The first shape of the table that says yes is taken. */
  recognises(asker: Asker): boolean
  /**
   * The answer. It says what happened and never how to widen the policy, since its reader may be the attacker; it never asks for
   * credentials (`WWW-Authenticate`), which a client would then look for.
   */
  write(message: ErrorMessage, asker: Asker): ErrorResponse
}

/** The values of a header in one lower-case line; empty where there is none. */
export function headerText({ headers }: Pick<Asker, 'headers'>, name: string): string {
  const value = headers[name]
  return (typeof value === 'string' ? value : (value ?? []).join(', ')).toLowerCase()
}

/** The path of the target in lower case, whatever form it has (RFC 9112 section 3.2). */
export function pathOf({ target }: Asker): string {
  const path = target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '')
  return path.replace(/[?#].*$/s, '').toLowerCase()
}

/** Whether a header lists a media type, with or without parameters. */
export function lists(asker: Asker, name: 'accept' | 'content-type', type: string): boolean {
  return headerText(asker, name)
    .split(',')
    .some((one) => (one.split(';', 1)[0] ?? '').trim() === type)
}
