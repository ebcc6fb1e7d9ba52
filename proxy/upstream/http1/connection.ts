import type { Socket } from 'node:net'
import type { InTurn } from '../../contracts/in-turn.js'
import { MemoryExceeded } from '#firewall/ledger/memory-budget.js'
import type { RawHeaders } from '../upstream.js'
import { BodySender } from './body-sender.js'
import { ChunkedReader } from './chunked-reader.js'
import { UpstreamClosed, UpstreamProtocolError, UpstreamSilent } from '../errors.js'
import { hasArrived } from './has-arrived.js'
import { keepReading } from './keep-reading.js'
import { pauseReading, resumeReading } from './reading.js'
import type { WrittenRequest } from './request-head.js'
import { readHead, type Framing, type ResponseHead } from './response-head.js'

/** Told what comes of one request, in this order; after `onEnd` or `onFailed` nothing more. */
export interface ResponseEvents {
  /** So many bytes more of a head are to be held. False where there is no room for them. */
  mayHold(bytes: number): boolean
  /** When a piece of the response is read. */
  readonly inTurn: InTurn
  /** A part of a body that comes as a stream was read and written. */
  onBodyChunk(chunk: Buffer): void
  /** The whole request is written. A response may come before this. */
  onSent(): void
  /** A 1xx. */
  onInterim(headers: RawHeaders): void
  onHead(status: number, headers: RawHeaders): void
  onData(chunk: Buffer): void
  /** @param trailers null for none */
  onEnd(trailers: RawHeaders | null): void
  onFailed(error: Error): void
}

/** Told when a connection is free, or gone. */
export interface ConnectionEvents {
  onFree(connection: Connection): void
  onClosed(connection: Connection): void
}

const EMPTY = Buffer.alloc(0)

/** Bytes of a head for which every request has room. */
const FREE_HEAD = 65_536

/**
 * Bytes that are read in one turn of the event loop, unless they are a body that needs no reading. Threat: chunks of a byte
 * each, interim responses and head lines cost fifty times as much as a body, and 64 KiB of them come at once.
 */
const PIECE = 4_096

/** What is sent over it is one request after another, each when the response before it is whole. */
export class Connection {
  readonly #socket: Socket
  readonly #events: ConnectionEvents
  /** Whose response is awaited; null while it is idle. */
  #response: ResponseEvents | null = null
  #method = ''
  #sender: BodySender | null = null
  #isSent = true
  /** What of a head is there. */
  #head: Buffer = EMPTY
  #headLength = 0
  /** Of the response whose body comes. */
  #current: ResponseHead | null = null
  #left = 0
  #chunks: ChunkedReader | null = null
  #hasBytes = false
  #isSilent = false
  /** Pieces that came and wait for their turn. */
  #pending = 0
  /** Whether nothing more is read until they had it, and whether whoever takes the response has enough for now. */
  #isBehind = false
  #isPaused = false
  #isClosed = false
  #isOurs = false
  /** Nothing was sent over it, and it was not idle. */
  isNew = true
  /** Milliseconds for which it was idle before it was used again; null for a new one. */
  idleBefore: number | null = null
  /** Milliseconds for which the server said that it keeps it; null where it said nothing. */
  keepAliveMs: number | null = null

  /**
   * @param socket connected, with its certificate verified; nothing was read of it
   * @param idleMs for which either side of a message may be silent
   */
  constructor(socket: Socket, idleMs: number, events: ConnectionEvents) {
    this.#socket = socket
    this.#events = events
    keepReading(socket, () => this.#stopSending())
    socket.setTimeout(idleMs, () => this.#onSilence(idleMs))
    socket.on('data', (chunk: Buffer) => this.#takeTurns(chunk))
    // What came before is read first, also where it waits for its turn.
    const afterPieces = (work: () => void) => {
      if (this.#pending > 0) this.#response?.inTurn(work)
      else work()
    }
    const onError = (error: Error | null) => afterPieces(() => this.#onError(error))
    socket.on('end', () => afterPieces(() => this.#onEnd()))
    socket.on('error', onError)
    socket.on('close', () => onError(null))
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** While it is idle: whether the upstream keeps it open, so far. Closes it where not; null where that cannot be told at once. */
  checkOpen(): boolean | null {
    const arrived = this.#isClosed || hasArrived(this.#socket)
    if (arrived === true) this.#close()
    return arrived === null ? null : !arrived
  }

  /** Whether anything of the response to the request under way has come; false while there is none. */
  get hasBytes(): boolean {
    return this.#hasBytes
  }

  /** Writes a request. Only while it is idle. @param before what was read of its body and is written again */
  send(
    method: string,
    { head, body, length }: WrittenRequest,
    before: readonly Buffer[],
    response: ResponseEvents,
  ): void {
    const socket = this.#socket
    this.#response = response
    this.#method = method
    this.#hasBytes = false
    this.#isSent = false
    if (!this.isNew) socket.ref()
    if (body === null || Buffer.isBuffer(body)) {
      if (body === null || body.length === 0) socket.write(head, 'latin1')
      else {
        socket.cork()
        socket.write(head, 'latin1')
        socket.write(body)
        socket.uncork()
      }
      this.#onSent()
      return
    }
    // With what of the body is there already.
    socket.cork()
    socket.write(head, 'latin1')
    process.nextTick(() => socket.uncork())
    const sender = new BodySender(socket, body, length, before, {
      onChunk: (chunk) => this.#response?.onBodyChunk(chunk),
      onSent: () => {
        this.#sender = null
        this.#onSent()
      },
      onFailed: (error) => this.#fail(error),
    })
    if (!sender.isOver) this.#sender = sender
  }

  pause(): void {
    this.#isPaused = true
    pauseReading(this.#socket)
  }

  resume(): void {
    this.#isPaused = false
    if (this.#isBehind) return
    if (this.#isSilent) {
      this.#isSilent = false
      this.#socket.setTimeout(this.#socket.timeout ?? 0)
    }
    resumeReading(this.#socket)
  }

  /** Whether the gateway has ended it, not the upstream. */
  get isOurs(): boolean {
    return this.#isOurs
  }

  /** Ends it, and says nothing of that to whoever awaits a response. */
  destroy(): void {
    this.#response = null
    this.#isOurs = true
    this.#close()
  }

  /** Ends it. */
  fail(error: Error): void {
    this.#isOurs = true
    this.#fail(error)
  }

  #onSent(): void {
    this.#isSent = true
    this.#response?.onSent()
  }

  /** Nobody reads it any more. There may still be a response. */
  #stopSending(): void {
    this.#sender?.stop()
    this.#sender = null
  }

  #takeTurns(chunk: Buffer): void {
    const response = this.#response
    const isPlain = this.#pending === 0 && this.#current !== null && this.#chunks === null
    if (response === null) {
      this.#onData(chunk)
      return
    }
    const size = isPlain ? chunk.length : PIECE
    for (let at = 0; at < chunk.length; at += size) {
      const piece = chunk.length <= size ? chunk : chunk.subarray(at, at + size)
      this.#pending += 1
      response.inTurn(() => {
        this.#pending -= 1
        if (!this.#isClosed) this.#onData(piece)
        if (this.#pending > 0 || !this.#isBehind) return
        this.#isBehind = false
        if (!this.#isPaused && !this.#isClosed) this.resume()
      })
    }
    if (this.#pending === 0) return
    this.#isBehind = true
    pauseReading(this.#socket)
  }

  #onData(chunk: Buffer): void {
    if (this.#response === null) {
      // Threat: what an upstream says before it is asked is no answer to whatever is asked next.
      this.#close()
      return
    }
    this.#hasBytes = true
    let at = 0
    while (at < chunk.length && !this.#isClosed) {
      // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- the response may be over
      if (this.#response === null) {
        this.#close()
        return
      }
      at =
        this.#current === null ? this.#readHead(chunk, at) : this.#readBody(this.#current.framing, chunk, at)
    }
    this.#settle(true)
  }

  #readHead(chunk: Buffer, at: number): number {
    const before = this.#headLength
    const bytes = before === 0 ? chunk.subarray(at) : this.#append(chunk, at)
    const head = bytes === null ? null : readHead(bytes, before)
    if (bytes === null || head === null) {
      if (before === 0) this.#append(chunk, at)
      return chunk.length
    }
    if ('problem' in head) {
      this.#fail(new UpstreamProtocolError(head.problem, bytes, head.at))
      return chunk.length
    }
    this.#head = EMPTY
    this.#headLength = 0
    this.#takeHead(head, bytes)
    return at + head.length - before
  }

  /** Null where there is no room for it; then the request has failed. */
  #append(chunk: Buffer, at: number): Buffer | null {
    const length = this.#headLength + chunk.length - at
    if (length > this.#head.length) {
      if (length > FREE_HEAD && this.#response?.mayHold(2 * length) !== true) {
        this.#fail(new MemoryExceeded())
        return null
      }
      const larger = Buffer.alloc(2 ** Math.ceil(Math.log2(length + 1_024)))
      this.#head.copy(larger, 0, 0, this.#headLength)
      this.#head = larger
    }
    chunk.copy(this.#head, this.#headLength, at)
    this.#headLength = length
    return this.#head.subarray(0, length)
  }

  #takeHead(head: ResponseHead, bytes: Buffer): void {
    const { status, headers, framing } = head
    if (status === 101) {
      this.#fail(new UpstreamProtocolError('an upgrade that nobody asked for', bytes, 0))
      return
    }
    if (status < 200) {
      this.#response?.onInterim(headers)
      return
    }
    const hasBody = this.#method !== 'HEAD' && status !== 204 && status !== 304
    this.#current = hasBody ? head : { ...head, framing: { kind: 'length', bytes: 0 } }
    this.#left = hasBody && framing.kind === 'length' ? framing.bytes : 0
    this.#chunks = hasBody && framing.kind === 'chunked' ? new ChunkedReader() : null
    this.#response?.onHead(status, headers)
  }

  /** Called while the response is not whole, with at least one byte. */
  #readBody(framing: Framing, chunk: Buffer, at: number): number {
    if (framing.kind === 'close') {
      this.#response?.onData(at === 0 ? chunk : chunk.subarray(at))
      return chunk.length
    }
    if (framing.kind === 'length') {
      if (this.#left === 0) {
        this.#settle(false)
        return at
      }
      const end = Math.min(at + this.#left, chunk.length)
      this.#left -= end - at
      this.#response?.onData(at === 0 && end === chunk.length ? chunk : chunk.subarray(at, end))
      return end
    }
    const next = this.#chunks?.push(chunk, at, (data) => {
      this.#response?.onData(data)
      return this.#response !== null
    })
    if (typeof next === 'object') {
      // What stands before these bytes is gone, and they may be the end of a secret.
      this.#fail(new UpstreamProtocolError(next.problem, EMPTY, 0))
      return chunk.length
    }
    if (this.#chunks?.isDone === true && (next ?? 0) < chunk.length) this.#settle(false)
    return next ?? chunk.length
  }

  /** Ends the response if it is whole. @param isLast nothing came behind it: what did belongs to nothing that was asked */
  #settle(isLast: boolean): void {
    const head = this.#current
    if (head === null || this.#response === null) return
    const { framing } = head
    if (framing.kind === 'close' || this.#left > 0 || this.#chunks?.isDone === false) return
    this.#finish(head.persists && this.#isSent && isLast && this.#pending === 0, head.keepAliveMs)
  }

  #finish(canServe: boolean, keepAliveMs: number | null): void {
    const response = this.#response
    const trailers = this.#chunks?.trailers ?? null
    this.#hasBytes = false
    this.#response = null
    this.#current = null
    this.#chunks = null
    this.keepAliveMs = keepAliveMs
    if (canServe) {
      this.#isPaused = false
      this.#socket.unref()
      if (this.#socket.isPaused()) resumeReading(this.#socket)
      this.#events.onFree(this)
    } else {
      this.#stopSending()
      this.#close()
    }
    response?.onEnd(trailers)
  }

  #onEnd(): void {
    if (this.#response !== null && this.#current?.framing.kind === 'close') this.#finish(false, null)
    else this.#fail(new UpstreamClosed(this.#hasBytes))
  }

  #onError(error: Error | null): void {
    this.#fail(
      error === null || (error as NodeJS.ErrnoException).syscall === 'read' || this.#hasBytes
        ? new UpstreamClosed(this.#hasBytes)
        : error,
    )
  }

  #onSilence(idleMs: number): void {
    if (this.#response === null) return
    // Who is not read may be silent; so may who thinks about its answer, or whoever sends a body to be passed on.
    const mayBe =
      this.#socket.isPaused() || (this.#isSent ? this.#current === null : this.#sender?.isBlocked === false)
    if (mayBe) this.#isSilent = true
    else
      this.#fail(
        new UpstreamSilent(`nothing came or went for ${String(idleMs / 1000)} s (http.idle_timeout)`),
      )
  }

  #fail(error: Error): void {
    const response = this.#response
    this.#response = null
    this.#close()
    response?.onFailed(error)
  }

  #close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#stopSending()
    this.#socket.destroy()
    this.#events.onClosed(this)
  }
}
