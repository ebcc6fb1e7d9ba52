import { constants, type ClientHttp2Stream, type IncomingHttpHeaders } from 'node:http2'
import type { Readable } from 'node:stream'
import type { HttpLimits } from '#firewall/contracts/policy.js'
import { MemoryExceeded } from '#firewall/ledger/memory-budget.js'
import { collectHeaders } from '../../message/headers.js'
import { UpstreamClosed, UpstreamSilent } from '../errors.js'
import { isIdempotent, SentBytes } from '../repeatable.js'
import { ResponseDeadline } from '../response-deadline.js'
import type { RawHeaders, UpstreamCall, UpstreamHandler, UpstreamRequest } from '../upstream.js'
import { WINDOW_BEYOND_ROOM, type Http2Connection } from './connection.js'
import { Http2Error } from './errors.js'
import { headOf } from './request-head.js'

const { NGHTTP2_CANCEL, NGHTTP2_HTTP_1_1_REQUIRED, NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM } = constants

/** Times that a request which no server has looked at is sent again. */
const MAX_REPEATS = 3

/** What a call asks of its pool. */
export interface CallEvents {
  /** It needs a connection, for the first time or again. */
  onWaiting(call: Http2Call): void
  /** RFC 9113 section 7, `HTTP_1_1_REQUIRED`: the server wants this request in another version. */
  onHttp1Required(request: UpstreamRequest, handler: UpstreamHandler): void
}

/**
 * One request, until its response is whole or it has failed. What the server says it has not looked at (RFC 9113 section 8.7) is sent
 * again, whatever its method; what was lost with its connection, only where a second time makes no difference.
 */
export class Http2Call implements UpstreamCall {
  readonly #request: UpstreamRequest
  readonly #handler: UpstreamHandler
  readonly #scheme: string
  readonly #limits: HttpLimits
  readonly #events: CallEvents
  readonly #deadline: ResponseDeadline
  readonly #sent = new SentBytes()
  #stream: ClientHttp2Stream | null = null
  #connection: Http2Connection | null = null
  #repeats = 0
  #hasStarted = false
  #hasHead = false
  #isOver = false
  #isPaused = false
  #stopBody: () => void = () => undefined
  #trailers: RawHeaders | null = null
  #expected: number | null = null
  #received = 0

  constructor(
    request: UpstreamRequest,
    handler: UpstreamHandler,
    scheme: string,
    limits: HttpLimits,
    events: CallEvents,
  ) {
    this.#request = request
    this.#handler = handler
    this.#scheme = scheme
    this.#limits = limits
    this.#events = events
    this.#deadline = new ResponseDeadline(limits.responseTimeoutMs, (error) => this.abort(error))
  }

  pause(): void {
    this.#isPaused = true
    this.#stream?.pause()
  }

  resume(): void {
    this.#isPaused = false
    this.#stream?.resume()
  }

  abort(error: Error): void {
    if (this.#isOver) return
    this.#fail(error)
    this.#stream?.close(NGHTTP2_CANCEL)
  }

  /** No connection can be had. */
  onFailed(error: Error): void {
    if (!this.#isOver) this.#fail(error)
  }

  onConnection(connection: Http2Connection): void {
    if (!this.#hasStarted) {
      this.#hasStarted = true
      this.#handler.onStart(this)
    }
    if (this.#isOver) return
    try {
      this.#send(connection)
    } catch (error) {
      this.#fail(error as Error)
    }
  }

  #send(connection: Http2Connection): void {
    const { body, trailers, memory } = this.#request
    if (this.#repeats === 0 && memory?.tryReserve(WINDOW_BEYOND_ROOM) === false) throw new MemoryExceeded()
    const waitForTrailers = trailers !== undefined && body !== null
    const head = headOf(this.#scheme, this.#request)
    const stream = connection.request(head, { endStream: body === null, waitForTrailers })
    if (stream === null) {
      this.#events.onWaiting(this)
      return
    }
    this.#stream = stream
    this.#connection = connection
    stream.on('headers', (headers) => this.#deadline.interim(headers))
    stream.on('response', (_headers, _flags, raw?: unknown) => this.#onHead(raw as readonly string[]))
    stream.on('trailers', (_headers: IncomingHttpHeaders, _flags: number, raw?: unknown) => {
      this.#trailers = collectHeaders(raw as readonly string[])
    })
    stream.on('data', (chunk: Buffer) => this.#onData(chunk))
    stream.on('end', () => this.#onEnd())
    // The connection's loss, and what the server says with RST_STREAM, are read from the stream when it closes.
    stream.on('error', () => undefined)
    stream.on('close', () => this.#onClose(stream))
    if (waitForTrailers) stream.on('wantTrailers', () => stream.sendTrailers(trailers?.() ?? {}))
    if (this.#isPaused) stream.pause()
    if (body === null) this.#deadline.start()
    else if (Buffer.isBuffer(body) || typeof body === 'string') {
      stream.end(body)
      this.#deadline.start()
    } else this.#stopBody = this.#sendBody(body, stream)
  }

  /** No faster than the server takes it. Returns what ends it. */
  #sendBody(body: Readable, stream: ClientHttp2Stream): () => void {
    const onData = (chunk: Buffer) => {
      if (chunk.length === 0) return
      this.#sent.add(chunk)
      if (!stream.write(chunk)) body.pause()
    }
    const onDrain = () => body.resume()
    const onEnd = () => {
      stop()
      stream.end()
      this.#deadline.start()
    }
    const onError = (error: Error) => this.abort(error)
    const onBodyClose = () => this.abort(body.errored ?? new Error('the body was cut off'))
    const stop = () => {
      body.off('data', onData).off('end', onEnd).off('close', onBodyClose)
      stream.off('drain', onDrain)
      // `onError` stays: an error that comes later is nobody's.
      body.pause()
    }
    for (const chunk of this.#sent.chunks ?? []) stream.write(chunk)
    body.on('error', onError).on('end', onEnd).on('close', onBodyClose)
    stream.on('drain', onDrain)
    body.on('data', onData)
    if (body.errored !== null) onError(body.errored)
    else if (body.readableEnded) onEnd()
    else if (body.destroyed) onBodyClose()
    else body.resume()
    return stop
  }

  #onHead(raw: readonly string[]): void {
    if (this.#isOver) return
    const headers: RawHeaders = collectHeaders(raw)
    const status = Number(headers[':status'])
    delete headers[':status']
    this.#hasHead = true
    this.#sent.forget()
    this.#deadline.stop()
    const { idleTimeoutMs } = this.#limits
    this.#stream?.setTimeout(idleTimeoutMs, () => {
      // A client that does not read is not the server's silence.
      if (!this.#isPaused)
        this.abort(new UpstreamSilent(`silent for ${String(idleTimeoutMs / 1000)} s (http.idle_timeout)`))
    })
    const length = headers['content-length']
    const isBodiless = this.#request.method === 'HEAD' || status === 204 || status === 304
    this.#expected = typeof length === 'string' && !isBodiless ? Number(length) : null
    this.#handler.onHead(this, status, headers)
  }

  #onData(chunk: Buffer): void {
    if (this.#isOver) return
    this.#received += chunk.length
    if (chunk.length > 0) this.#handler.onData(this, chunk)
  }

  /** The server has said all, perhaps before the body was sent (RFC 9113 section 8.1). */
  #onEnd(): void {
    const stream = this.#stream
    if (stream === null || !this.#hasHead) return
    this.#stopBody()
    if (!stream.writableEnded && !stream.closed) stream.close(NGHTTP2_NO_ERROR)
  }

  #onClose(stream: ClientHttp2Stream): void {
    if (stream !== this.#stream) return
    this.#stopBody()
    if (this.#isOver) return
    const code = stream.rstCode
    const isShort = this.#expected !== null && this.#received !== this.#expected
    if (this.#hasHead && code === NGHTTP2_NO_ERROR && !isShort && stream.readableEnded) {
      this.#isOver = true
      this.#deadline.stop()
      this.#handler.onEnd(this.#trailers)
    } else if (!this.#hasHead && code === NGHTTP2_HTTP_1_1_REQUIRED && this.#canRepeat()) this.#useHttp1()
    else if (!this.#hasHead && this.#mayRepeat(stream)) this.#repeat()
    else this.#fail(this.#errorOf(code))
  }

  #mayRepeat(stream: ClientHttp2Stream): boolean {
    if (this.#repeats >= MAX_REPEATS || !this.#canRepeat()) return false
    const wasIgnored =
      stream.rstCode === NGHTTP2_REFUSED_STREAM || this.#connection?.wasIgnored(stream.id) === true
    const wasLost = stream.rstCode === NGHTTP2_CANCEL && this.#repeats === 0
    return wasIgnored || (wasLost && isIdempotent(this.#request))
  }

  #canRepeat(): boolean {
    const { body } = this.#request
    return body === null || Buffer.isBuffer(body) || typeof body === 'string' || this.#sent.chunks !== null
  }

  #repeat(): void {
    this.#repeats += 1
    this.#stream = null
    this.#deadline.pause()
    this.#handler.onRepeat?.()
    this.#events.onWaiting(this)
  }

  #useHttp1(): void {
    this.#isOver = true
    this.#deadline.stop()
    // What was read of a stream is gone from it.
    if (this.#sent.chunks?.length === 0 || !isStream(this.#request.body))
      this.#events.onHttp1Required(this.#request, this.#handler)
    else this.#handler.onError(new Http2Error(NGHTTP2_HTTP_1_1_REQUIRED))
  }

  #errorOf(code: number): Error {
    return code === NGHTTP2_NO_ERROR || code === NGHTTP2_CANCEL
      ? new UpstreamClosed(this.#hasHead)
      : new Http2Error(code)
  }

  #fail(error: Error): void {
    this.#isOver = true
    this.#stopBody()
    this.#sent.forget()
    this.#deadline.stop()
    this.#handler.onError(error)
  }
}

function isStream(body: UpstreamRequest['body']): boolean {
  return body !== null && typeof body !== 'string' && !Buffer.isBuffer(body)
}
