import { constants, type ServerHttp2Stream } from 'node:http2'
import { Readable, type Duplex } from 'node:stream'
import type { Headers } from '#firewall/contracts/credential.js'
import { denialStatus, type Denial } from '../contracts/denial.js'
import { collectHeaders, isConnectionHeader } from '../message/headers.js'
import { denialResponse } from './denial.js'
import type { Downstream, Upgrade } from './downstream.js'
import type { Http2Request } from './http2-head.js'

const { NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR } = constants

/** A request of HTTP/2: a stream of a session that Node reads. */
export class Http2Downstream implements Downstream {
  readonly method: string
  readonly target: string
  readonly headers: Headers
  readonly hasBody: boolean
  readonly isHttp2 = true
  readonly upgrade: Upgrade | null
  readonly sendsNow = true
  readonly #stream: ServerHttp2Stream
  /** A response that has begun and waits for its first bytes: one without a body ends with its head. */
  #head: Record<string, string | string[]> | null = null
  #begun = false
  #ended = false
  #trailers: Headers | null = null
  #received: Headers | null = null
  #waitsForTrailers = false
  #onWritten: () => void = ignore

  constructor(stream: ServerHttp2Stream, request: Http2Request, hasBody: boolean) {
    this.method = request.method
    this.target = request.target
    this.headers = request.headers
    this.hasBody = hasBody
    this.upgrade = request.isWebSocket ? new Http2Upgrade(stream) : null
    this.#stream = stream
    // A client may go away at any time; its absence shows where bytes are written, not here.
    stream.on('error', ignore)
    stream.on('trailers', (_headers: object, _flags: number, raw?: unknown) => {
      this.#received = collectHeaders(raw as readonly string[])
    })
    // Nobody reads what is not there, and a stream that nobody reads is never over.
    if (!hasBody) stream.resume()
  }

  get begun(): boolean {
    return this.#begun
  }

  get gone(): boolean {
    return this.#stream.destroyed || this.#stream.closed
  }

  /** What was written waits for the client. */
  get isStalled(): boolean {
    return this.#stream.writableNeedDrain
  }

  body(): Readable {
    // Threat: a client that resets a stream which waits for its credential: what is written to it then throws.
    if (!this.gone && /100-continue/i.test(String(this.headers['expect'] ?? '')))
      this.#stream.additionalHeaders({ ':status': 100 })
    return new Http2Body(this.#stream)
  }

  trailers(): Headers | null {
    return this.#received
  }

  dropBody(): void {
    // What is left of it is told to stop by `end`.
    this.#stream.pause()
  }

  onGone(listener: () => void): () => void {
    const onClose = () => {
      if (!this.#ended || this.#stream.rstCode !== NGHTTP2_NO_ERROR) listener()
    }
    this.#stream.on('close', onClose)
    return () => this.#stream.off('close', onClose)
  }

  begin(status: number, headers: Headers): void {
    this.#begun = true
    this.#head = { ...withoutConnection(headers), ':status': String(status) }
  }

  flush(): void {
    this.#sendHead(false)
  }

  write(chunk: Buffer): boolean {
    this.#sendHead(false)
    return this.#stream.write(chunk)
  }

  onDrain(listener: () => void): void {
    this.#stream.once('drain', listener)
  }

  end(trailers: Headers | null, onWritten: () => void): void {
    this.#trailers = trailers
    this.#ended = true
    this.#sendHead(trailers === null)
    this.#whenWritten(onWritten)
    if (!this.#stream.destroyed) this.#stream.end()
  }

  deny(denial: Denial, requestId: string, status?: number): number {
    const { status: sent, headers, body } = denialResponse(this, denial, requestId, status)
    this.begin(sent, headers)
    if (body !== null && this.method !== 'HEAD') this.write(body)
    this.end(null, ignore)
    return status ?? denialStatus(denial)
  }

  destroy(): void {
    this.#stream.close(NGHTTP2_INTERNAL_ERROR)
  }

  #sendHead(isWhole: boolean): void {
    const head = this.#head
    if (head === null) return
    this.#head = null
    if (this.gone) return
    // One that says its length is over with it: trailers that come all the same may be dropped (RFC 9110 section 6.5.1).
    const waitForTrailers = !isWhole && head['content-length'] === undefined
    if (waitForTrailers) this.#stream.once('wantTrailers', () => this.#sendTrailers())
    this.#waitsForTrailers = waitForTrailers
    this.#stream.respond(head, { endStream: isWhole, waitForTrailers })
  }

  #sendTrailers(): void {
    if (!this.gone) this.#stream.sendTrailers(this.#trailers ?? {})
    // They leave when this turn of the event loop is over.
    setImmediate(this.#settle)
  }

  #whenWritten(onWritten: () => void): void {
    this.#onWritten = onWritten
    this.#stream.once('close', this.#settle)
    if (this.#waitsForTrailers) return
    if (this.#stream.writableFinished) queueMicrotask(this.#settle)
    else this.#stream.once('finish', this.#settle)
  }

  readonly #settle = (): void => {
    const stream = this.#stream
    if (stream.rstCode !== NGHTTP2_NO_ERROR) return
    // RFC 9113 section 8.1: a client whose body is not wanted any more is told so without an error.
    if (!stream.readableEnded && !stream.closed) stream.close(NGHTTP2_NO_ERROR)
    const onWritten = this.#onWritten
    this.#onWritten = ignore
    onWritten()
  }
}

/** RFC 9113 section 8.2.2: they would make the response malformed. */
function withoutConnection(headers: Headers): Headers {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !isConnectionHeader(name)))
}

function ignore(): void {
  // Said above.
}

/**
 * What a client sends. It is a stream of its own: one that fails, or that nobody reads to its end, must not take the response
 * with it.
 */
class Http2Body extends Readable {
  readonly #stream: ServerHttp2Stream

  constructor(stream: ServerHttp2Stream) {
    super()
    this.#stream = stream
    stream.on('data', this.#onData)
    stream.on('end', this.#onEnd)
    stream.on('close', this.#onClose)
    stream.on('aborted', this.#onClose)
  }

  override _read(): void {
    this.#stream.resume()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#stream.off('data', this.#onData).off('end', this.#onEnd)
    this.#stream.off('close', this.#onClose).off('aborted', this.#onClose)
    // What the client sends beyond this stays within the window of the stream.
    this.#stream.pause()
    done(error)
  }

  readonly #onData = (chunk: Buffer) => {
    if (!this.push(chunk)) this.#stream.pause()
  }

  readonly #onEnd = () => {
    this.push(null)
  }

  readonly #onClose = () => {
    if (!this.readableEnded && !this.#stream.readableEnded) this.destroy(new Error('the client went away'))
  }
}

/** A WebSocket on a stream (RFC 8441): the stream itself carries its frames, and nothing is switched. */
class Http2Upgrade implements Upgrade {
  readonly #stream: ServerHttp2Stream

  constructor(stream: ServerHttp2Stream) {
    this.#stream = stream
  }

  accept(headers: Headers): Duplex {
    this.#stream.respond({ ...withoutConnection(headers), ':status': '200' })
    return this.#stream
  }

  close(): void {
    if (this.#stream.writableEnded) this.#stream.close(NGHTTP2_CANCEL)
    else this.#stream.end()
  }
}
