import {
  connect,
  constants,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type OutgoingHttpHeaders,
} from 'node:http2'
import type { Socket } from 'node:net'
import { limitControlFrames } from '../../message/control-frames.js'
import { probeSession } from '../../message/session-probe.js'

/** Bytes of a response's head, as RFC 9113 section 6.5.2 counts them, and fields; `forward.ts` takes fewer. */
const MAX_HEAD = 262_144
const MAX_FIELDS = 640

/** Bytes of a response that may be on their way, and wait here when its client does not read. */
const STREAM_WINDOW = 98_304

/** Of them, what `room.ts` does not count for every request. */
export const WINDOW_BEYOND_ROOM = STREAM_WINDOW - 65_536

const CONNECTION_WINDOW = 16 * 1_048_576

/** MiB that all streams together may hold before nghttp2 refuses more. */
const MAX_MEMORY = 64

/** Streams of a server that does not say how many it takes (RFC 9113 section 6.5.2). */
const STREAMS_BY_DEFAULT = 100

/** Milliseconds for which a connection without a request is kept; a server that closes it sooner says so by GOAWAY. */
const IDLE_MS = 60_000

export interface ConnectionEvents {
  /** A request is over, or the server takes more of them than before. */
  onRoom(): void
  /** It carries nothing; and then something again. */
  onIdle(connection: Http2Connection): void
  onBusy(connection: Http2Connection): void
  onClosed(connection: Http2Connection): void
}

/** A connection of HTTP/2 to an upstream. It carries requests at the same time, each in a stream. */
export class Http2Connection {
  /** Resolves once the server has spoken HTTP/2; false when it did not. */
  readonly isConfirmed: Promise<boolean>
  readonly #session: ClientHttp2Session
  readonly #events: ConnectionEvents
  #open = 0
  #isLeaving = false
  #isClosed = false
  #isKnown = false
  #idle: NodeJS.Timeout | null = null
  /** The last stream that the server will have looked at, once it has said so. */
  #lastStream = Infinity

  constructor(socket: Socket, origin: string, events: ConnectionEvents) {
    this.#events = events
    const session = connect(origin, {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: STREAM_WINDOW, maxHeaderListSize: MAX_HEAD },
      maxHeaderListPairs: MAX_FIELDS,
      maxSessionMemory: MAX_MEMORY,
      peerMaxConcurrentStreams: STREAMS_BY_DEFAULT,
      maxReservedRemoteStreams: 0,
    })
    this.#session = session
    // Streams say why they failed; what is wrong with the connection comes with `close`.
    session.on('error', () => undefined)
    session.on('connect', () => {
      session.setLocalWindowSize(CONNECTION_WINDOW)
      probeSession(session, socket, () => end(constants.NGHTTP2_PROTOCOL_ERROR))
    })
    session.on('goaway', (_code: number, lastStream: number) => {
      this.#lastStream = Math.min(this.#lastStream, lastStream)
      this.#isLeaving = true
    })
    session.on('close', () => this.#onClose())
    // Without an error, Node drops the code.
    const end = (code: number) => session.destroy(new Error('the upstream broke the rules of HTTP/2'), code)
    limitControlFrames(session, () => end(constants.NGHTTP2_ENHANCE_YOUR_CALM))
    this.isConfirmed = new Promise((resolve) => {
      session.once('remoteSettings', () => resolve(true))
      session.once('close', () => resolve(false))
    })
    session.on('remoteSettings', () => {
      this.#isKnown = true
      events.onRoom()
    })
  }

  get hasRoom(): boolean {
    if (this.#isLeaving || this.#session.closed || this.#session.destroyed) return false
    return this.#open < this.#limit
  }

  /** The first request does not wait for what the server says; those beyond what it takes would be refused. */
  get #limit(): number {
    if (!this.#isKnown) return 1
    return this.#session.remoteSettings.maxConcurrentStreams ?? STREAMS_BY_DEFAULT
  }

  /** Whether the server has said how many requests it takes. */
  get isKnown(): boolean {
    return this.#isKnown
  }

  /** It has nothing to do, and the server takes nothing (RFC 9113 section 6.5.2 allows it, for a while). */
  get takesNothing(): boolean {
    const isUsable = !this.#isLeaving && !this.#session.closed && !this.#session.destroyed
    return isUsable && this.#open === 0 && !this.hasRoom
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Whether the server has said that it will not have looked at this stream (RFC 9113 section 6.8). */
  wasIgnored(stream: number | undefined): boolean {
    return stream === undefined || stream > this.#lastStream
  }

  /** Only where there is room. Null when the connection has ended at this moment. @throws for a head that Node does not take */
  request(
    head: OutgoingHttpHeaders,
    options: { endStream: boolean; waitForTrailers: boolean },
  ): ClientHttp2Stream | null {
    if (!this.hasRoom) return null
    const stream = this.#session.request(head, options)
    this.#open += 1
    if (this.#idle !== null) {
      clearTimeout(this.#idle)
      this.#idle = null
      this.#events.onBusy(this)
    }
    stream.once('close', () => this.#onStreamClose())
    return stream
  }

  /** Closes it when what it carries is done. */
  drain(): void {
    this.#isLeaving = true
    if (this.#open === 0) this.#session.close()
  }

  destroy(): void {
    this.#session.destroy(undefined, constants.NGHTTP2_CANCEL)
  }

  #onStreamClose(): void {
    this.#open -= 1
    if (this.#open === 0) {
      if (this.#isLeaving) this.#session.close()
      else {
        this.#idle = setTimeout(() => this.drain(), IDLE_MS).unref()
        this.#events.onIdle(this)
      }
    }
    this.#events.onRoom()
  }

  #onClose(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    if (this.#idle !== null) clearTimeout(this.#idle)
    this.#events.onClosed(this)
  }
}
