import type { Duplex, Readable } from 'node:stream'
import type { Headers } from '#firewall/contracts/credential.js'
import type { Denial } from '../contracts/denial.js'

/**
 * A request that somebody made, and the way to answer it, whatever protocol it came by. `http1.ts` is one implementation.
 * The steps of a request and everything behind them see this and nothing of the protocol.
 */
export interface Downstream {
  readonly method: string
  /** The request target as it was sent: a path, an absolute URL. */
  readonly target: string
  /** By lower-case name, as they were sent; a name that came more than once has a list. */
  readonly headers: Headers
  /** Whether it came in HTTP/2. */
  readonly isHttp2: boolean
  /** Whether a body comes with it, if only an empty one. */
  readonly hasBody: boolean
  /** Set when the request asks for a WebSocket. */
  readonly upgrade: Upgrade | null
  /** Whether a response has begun; `deny` is then too late. */
  readonly begun: boolean
  /** Whether the client is gone already. */
  readonly gone: boolean
  /** Whether what is written leaves at once: no other answer comes first, and this one is not over. */
  readonly sendsNow: boolean

  /**
   * The body. Nothing of it is read, and a client that waits for permission (RFC 9110 section 10.1.1) is given none, before
   * this is called. Called at most once; reading it no faster than it is passed on is the caller's business.
   */
  body(): Readable
  /** What came behind the body, once all of it was read (RFC 9110 section 6.5); null for nothing. */
  trailers(): Headers | null
  /** The body is not read any further. */
  dropBody(): void

  /** Calls back if the client goes away before the response is written; returns what takes it back. */
  onGone(listener: () => void): () => void

  /** Begins the response: a final status. Called once; may wait for the first bytes of the body. */
  begin(status: number, headers: Headers): void
  /** Sends what was begun, though nothing of its body is there yet. */
  flush(): void
  /** Writes a part of the body. False when the client does not keep up: wait for `onDrain`. */
  write(chunk: Buffer): boolean
  /** Calls back once when more can be written. */
  onDrain(listener: () => void): void
  /**
   * Ends the response, with trailers where the protocol and the client take them.
   *
   * @param onWritten called once all of it is written; never when the client goes away first
   */
  end(trailers: Headers | null, onWritten: () => void): void

  /**
   * Answers no, in the client's own protocol and the shape that it reads (`denialResponse`). Only before `begin`. The body may be
   * unread: what is left of it is never taken for another request.
   *
   * @param status where it is not that of the reason
   * @returns the HTTP status that the answer means; gRPC says it in another way
   */
  deny(denial: Denial, requestId: string, status?: number): number
  /** Cuts the response off, so that it does not look whole. */
  destroy(): void
}

/** A request to speak another protocol from here on (RFC 9110 section 7.8). */
export interface Upgrade {
  /**
   * Agrees, with these headers beside those of the handshake itself, and hands over the stream. Nothing was read of it after the
   * request before this; its reader must resume it. Called once at most, and never after `deny`.
   */
  accept(headers: Headers): Duplex
  /** Ends the stream once everything written is sent. */
  close(): void
}
