import type { HttpLimits } from '#firewall/contracts/policy.js'
import { ResponseDeadline } from '../response-deadline.js'
import type { RawHeaders, UpstreamCall, UpstreamHandler, UpstreamRequest } from '../upstream.js'
import type { Connection, ResponseEvents } from './connection.js'
import { UpstreamClosed } from '../errors.js'
import type { Waiting } from './pool.js'
import { isIdempotent, isSafe, SentBytes } from '../repeatable.js'
import { writeHead, type WrittenRequest } from './request-head.js'

/** Where a call gets its connections. */
export interface Connections {
  take(waiting: Waiting): void
  giveBack(connection: Connection): void
}

/**
 * One request, until its response is whole or it has failed.
 *
 *     call ──▶ a connection that was used before ──▶ closed meanwhile? ──▶ a new connection
 *
 * What was sent on a connection that had died is sent again on a new one, once. RFC 9110 section 9.2.2: not what a server may
 * have carried out already, unless that makes no difference.
 */
export class Call implements UpstreamCall, ResponseEvents, Waiting {
  readonly isSafe: boolean
  needsNew = false
  readonly #request: UpstreamRequest
  readonly #written: WrittenRequest
  readonly #handler: UpstreamHandler
  readonly #connections: Connections
  readonly #deadline: ResponseDeadline
  readonly #sent = new SentBytes()
  #connection: Connection | null = null
  #wasUsed = false
  #hasStarted = false
  #isOver = false

  /** @throws InvalidRequest */
  constructor(
    request: UpstreamRequest,
    handler: UpstreamHandler,
    connections: Connections,
    limits: HttpLimits,
  ) {
    this.#request = request
    this.#handler = handler
    this.#connections = connections
    this.#written = writeHead(request)
    this.isSafe = isSafe(request)
    this.#deadline = new ResponseDeadline(limits.responseTimeoutMs, (error) => this.abort(error))
  }

  start(): void {
    this.#connections.take(this)
  }

  /** Once the response is over, the connection is another request's, which must not wait for whoever reads this one. */
  pause(): void {
    if (!this.#isOver) this.#connection?.pause()
  }

  resume(): void {
    if (!this.#isOver) this.#connection?.resume()
  }

  abort(error: Error): void {
    if (this.#isOver) return
    this.#connection?.destroy()
    this.#fail(error)
  }

  onConnection(connection: Connection): void {
    if (this.isSafe || connection.isNew) {
      this.#send(connection)
      return
    }
    // What has come meanwhile is read first: a connection that the upstream has closed is known for one.
    const isOpen = connection.checkOpen()
    if (isOpen === null)
      afterPoll(() => {
        if (connection.isClosed) this.#connections.take(this)
        else this.#send(connection)
      })
    else if (isOpen) this.#send(connection)
    else this.#connections.take(this)
  }

  #send(connection: Connection): void {
    if (!this.#hasStarted) {
      this.#hasStarted = true
      this.#handler.onStart(this)
    }
    if (this.#isOver) {
      this.#connections.giveBack(connection)
      return
    }
    this.#connection = connection
    this.#wasUsed = !connection.isNew
    if (!this.#wasUsed) {
      const before = this.#sent.chunks ?? []
      this.#sent.forget()
      connection.send(this.#request.method, this.#written, before, this)
    } else connection.send(this.#request.method, this.#written, [], this)
  }

  inTurn(work: () => void): void {
    if (this.#handler.inTurn === undefined) work()
    else this.#handler.inTurn(work)
  }

  mayHold(bytes: number): boolean {
    return this.#request.memory?.tryReserve(bytes) ?? true
  }

  onBodyChunk(chunk: Buffer): void {
    this.#sent.add(chunk)
  }

  onSent(): void {
    this.#deadline.start()
  }

  onInterim(headers: RawHeaders): void {
    this.#sent.forget()
    this.#deadline.interim(headers)
  }

  onHead(status: number, headers: RawHeaders): void {
    // RFC 9110 section 15.5.9: no request came in time. Load balancers say so on idle connections, before they close them.
    if (status === 408 && this.#wasUsed && this.#canRepeat()) {
      this.#connection?.destroy()
      this.#repeat()
      return
    }
    this.#sent.forget()
    this.#deadline.stop()
    this.#handler.onHead(this, status, headers)
  }

  onData(chunk: Buffer): void {
    this.#handler.onData(this, chunk)
  }

  onEnd(trailers: RawHeaders | null): void {
    this.#isOver = true
    this.#handler.onEnd(trailers)
  }

  onFailed(error: Error): void {
    if (this.#isOver) return
    const isStale = error instanceof UpstreamClosed && !error.hasBegun && this.#wasUsed
    if (isStale && isIdempotent(this.#request) && this.#canRepeat()) this.#repeat()
    else this.#fail(error)
  }

  #canRepeat(): boolean {
    const { body } = this.#written
    if (this.#request.isOnce === true) return false
    return body === null || Buffer.isBuffer(body) || this.#sent.chunks !== null
  }

  #repeat(): void {
    this.#connection = null
    this.#wasUsed = false
    this.needsNew = true
    this.#deadline.pause()
    this.#handler.onRepeat?.()
    this.#connections.take(this)
  }

  #fail(error: Error): void {
    this.#isOver = true
    this.#connection = null
    this.#sent.forget()
    this.#deadline.stop()
    this.#handler.onError(error)
  }
}

/** Calls back once the event loop has looked for what has arrived. */
function afterPoll(done: () => void): void {
  setImmediate(() => setImmediate(done))
}
