import {
  constants,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { Places } from '../contracts/places.js'
import { limitControlFrames } from '../message/control-frames.js'
import { probeSession } from '../message/session-probe.js'
import type { Downstream } from './downstream.js'
import { Http2Downstream } from './http2.js'
import { readHttp2Head, type TargetForm } from './http2-head.js'

const { NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_FLAG_END_STREAM, NGHTTP2_NO_ERROR } = constants

/** Streams of one connection that may be open at once (RFC 9113 section 5.1.2 recommends no fewer than 100). */
export const MAX_STREAMS = 128

/**
 * Bytes of a head, as RFC 9113 section 6.5.2 counts them: one that is not whole counts for nobody yet. Threat: HPACK makes kilobytes of a
 * byte (CVE-2016-6581).
 */
const MAX_HEAD = 65_536

/** Fields of a head; `head-limits.ts` denies fewer, with a record and an answer. */
const MAX_FIELDS = 512

/** Bytes of the connection that may be on their way; each stream has its own window, of 64 KiB. */
const CONNECTION_WINDOW = 1_048_576

/**
 * Streams that a client may cancel before they are answered, beyond as many as were answered. Threat: rapid reset (CVE-2023-44487): each
 * costs a decision, a record and an upstream request, and the client nothing.
 */
const MAX_CANCELLED = 200

/** RFC 9113 section 6.8: every stream that the client began before it knew is still served. */
const LAST_STREAM = 2 ** 31 - 1

/** Milliseconds in which a client that broke the rules can read that it did. */
const LAST_WORDS_MS = 1_000

/** Who takes what a connection brings. None of them may throw. */
export interface Http2Handlers {
  /** A request. Its response must be over, or the client gone, when the promise resolves. */
  onRequest(downstream: Downstream): Promise<void>
  /** The connection is over, and not in the way that the protocol has for it; or nothing was ever asked. */
  onBroken(detail: string): void
  /** Whether a request that comes now is still judged by the policy that the connection was opened under. */
  isCurrent(): boolean
}

export interface Http2Options extends TargetForm {
  /** Milliseconds until a connection without a request is closed. */
  readonly idleMs: number
}

/** Reads HTTP/2 from connections that somebody else has accepted, and makes every request a `Downstream`. */
export class Http2Server {
  readonly #sessions = new Set<Session>()

  /** Takes a connection over: by ALPN, or with prior knowledge (RFC 9113 section 3.3). */
  serve(socket: Socket, options: Http2Options, handlers: Http2Handlers): void {
    // It was reset before its turn came, and its events are over.
    if (socket.destroyed) {
      handlers.onBroken('the client went away')
      return
    }
    const session = new Session(socket, options, handlers)
    this.#sessions.add(session)
    session.onceClosed(() => this.#sessions.delete(session))
  }

  /** Connections end with the requests under way. */
  close(): void {
    for (const session of this.#sessions) session.drain()
  }
}

class Session {
  readonly #session: ServerHttp2Session
  readonly #form: TargetForm
  readonly #handlers: Http2Handlers
  readonly #open = new Places<Http2Downstream>()
  #asked = 0
  #answered = 0
  #cancelled = 0
  #isDraining = false
  #broken: string | null = null

  constructor(socket: Socket, options: Http2Options, handlers: Http2Handlers) {
    this.#form = options
    this.#handlers = handlers
    const session = performServerHandshake(socket, {
      settings: {
        maxConcurrentStreams: MAX_STREAMS,
        maxHeaderListSize: MAX_HEAD,
        enableConnectProtocol: true,
      },
      maxHeaderListPairs: MAX_FIELDS,
      maxSessionInvalidFrames: 100,
      maxSessionRejectedStreams: 100,
    })
    this.#session = session
    session.on('error', (error: Error) => {
      this.#broken ??= error.message
      // Node closes it when its GOAWAY is written, which may be never.
      setTimeout(() => socket.destroy(), LAST_WORDS_MS).unref()
    })
    // Node waits for this where TLS was begun by hand, and it comes from clients alone. The handshake is over.
    if (socket instanceof TLSSocket) socket.emit('secureConnect')
    session.setLocalWindowSize(CONNECTION_WINDOW)
    session.on(
      'stream',
      (stream: ServerHttp2Stream, _headers: object, flags: number, raw: unknown) =>
        // Node's types do not know the last one.
        void this.#take(stream, flags, raw as readonly string[]),
    )
    limitControlFrames(session, () => this.#end('too many pings or settings'))
    probeSession(session, socket, () => this.#end('frames that break the rules of HTTP/2'))
    // The listener lets clients of HTTP/1.1 end their side alone. In HTTP/2 that is the end (RFC 9113 section 9.1): bodies that are not
    // whole would be waited for, and places kept for a client that is gone.
    socket.once('end', () => {
      if (!session.destroyed) session.destroy()
    })
    session.setTimeout(options.idleMs, () => this.#onIdle())
    session.on('close', () => this.#onClose())
  }

  onceClosed(listener: () => void): void {
    this.#session.once('close', listener)
  }

  /**
   * Takes no more requests than those that are on their way already: the client is told, and when it has answered a ping that was sent
   * behind that, nothing of it can be lost.
   */
  drain(): void {
    if (this.#isDraining || this.#session.destroyed || this.#session.closed) return
    this.#isDraining = true
    this.#session.goaway(NGHTTP2_NO_ERROR, LAST_STREAM)
    const close = () => {
      if (!this.#session.destroyed) this.#session.close()
    }
    if (!this.#session.ping(close)) close()
  }

  async #take(stream: ServerHttp2Stream, flags: number, raw: readonly string[]): Promise<void> {
    this.#asked += 1
    if (!this.#handlers.isCurrent()) this.drain()
    const downstream = new Http2Downstream(
      stream,
      readHttp2Head(raw, this.#form),
      (flags & NGHTTP2_FLAG_END_STREAM) === 0,
    )
    const place = this.#open.take(downstream)
    stream.once('close', () => this.#count(downstream))
    await this.#handlers.onRequest(downstream)
    this.#open.leave(place)
  }

  #count(downstream: Downstream): void {
    if (downstream.begun) this.#answered += 1
    else this.#cancelled += 1
    if (this.#cancelled > this.#answered + MAX_CANCELLED) this.#end('requests that were cancelled at once')
  }

  #end(detail: string): void {
    if (this.#session.destroyed) return
    this.#broken ??= detail
    // Without an error, Node drops the code, and streams would look as if all of them had been answered.
    this.#session.destroy(new Error(detail), NGHTTP2_ENHANCE_YOUR_CALM)
  }

  /** A client that waits for its answer is not idle; one that does not read it is gone. */
  #onIdle(): void {
    if (this.#open.size === 0) this.drain()
    else if (this.#open.all().some(({ isStalled }) => isStalled)) this.#end('the client does not read')
  }

  #onClose(): void {
    if (this.#broken !== null) this.#handlers.onBroken(this.#broken)
    else if (this.#asked === 0) this.#handlers.onBroken('no request came')
  }
}
