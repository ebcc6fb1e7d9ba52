import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { InvalidRequest } from '../request-syntax.js'

/** Told of the sending of a body; nothing after `stop`. */
export interface SenderEvents {
  /** A part of it was written for the first time. */
  onChunk(chunk: Buffer): void
  /** All of it is written. */
  onSent(): void
  /** The body failed, or is not as long as it was said to be. */
  onFailed(error: Error): void
}

/** Writes a body that comes as a stream, no faster than the upstream takes it. */
export class BodySender {
  readonly #socket: Socket
  readonly #body: Readable
  readonly #events: SenderEvents
  /** Bytes yet to come; null for a body in chunks. */
  #left: number | null
  /** The upstream does not keep up. */
  isBlocked = false
  /** Nothing more will be written. */
  isOver = false

  /**
   * @param length bytes that were announced; null for chunks
   * @param before what was read of the body and is written again
   */
  constructor(
    socket: Socket,
    body: Readable,
    length: number | null,
    before: readonly Buffer[],
    events: SenderEvents,
  ) {
    this.#socket = socket
    this.#body = body
    this.#left = length
    this.#events = events
    for (const chunk of before) this.#write(chunk)
    body.on('error', this.#onError)
    body.on('end', this.#onEnd)
    body.on('close', this.#onClose)
    socket.on('drain', this.#onDrain)
    body.on('data', this.#onData)
    if (body.errored !== null) this.#onError(body.errored)
    else if (body.readableEnded) this.#onEnd()
    else if (body.destroyed) this.#onClose()
    else body.resume()
  }

  /** Nothing more of the body is written. Whoever made it drops what is left. */
  stop(): void {
    this.isOver = true
    this.#body.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onClose)
    this.#socket.off('drain', this.#onDrain)
    // An error that comes later is nobody's.
    this.#body.pause()
  }

  readonly #onData = (chunk: Buffer): void => {
    if (chunk.length === 0) return
    if (this.#left !== null && chunk.length > this.#left) {
      this.#fail(new InvalidRequest('the body is longer than it was said to be'))
      return
    }
    this.#events.onChunk(chunk)
    if (this.#write(chunk)) return
    this.isBlocked = true
    this.#body.pause()
  }

  #write(chunk: Buffer): boolean {
    const socket = this.#socket
    if (this.#left !== null) {
      this.#left -= chunk.length
      return socket.write(chunk)
    }
    socket.cork()
    socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1')
    socket.write(chunk)
    const goesOn = socket.write('\r\n', 'latin1')
    socket.uncork()
    return goesOn
  }

  readonly #onDrain = (): void => {
    if (!this.isBlocked) return
    this.isBlocked = false
    this.#body.resume()
  }

  readonly #onEnd = (): void => {
    if (this.#left !== null && this.#left > 0) {
      this.#fail(new InvalidRequest('the body is shorter than it was said to be'))
      return
    }
    if (this.#left === null) this.#socket.write('0\r\n\r\n', 'latin1')
    this.stop()
    this.#events.onSent()
  }

  readonly #onClose = (): void => this.#fail(this.#body.errored ?? new InvalidRequest('the body was cut off'))

  readonly #onError = (error: Error): void => this.#fail(error)

  #fail(error: Error): void {
    if (this.isOver) return
    this.stop()
    this.#events.onFailed(error)
  }
}
