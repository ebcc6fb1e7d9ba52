import { Duplex } from 'node:stream'
import type { WebSocketHandler } from './websocket.js'

/**
 * Bytes of frames that are read in one turn of the event loop. Threat: frames of two bytes each cost thirty times as much as
 * long ones, and 64 KiB of them would keep everybody waiting for a tenth of a second.
 */
const PIECE = 2_048

type Handler = Pick<WebSocketHandler, 'onBytes' | 'onClientBytes' | 'inTurn'>

/**
 * What http-proxy takes for the client's socket. The head of the 101 that it writes there ends here, since a client that
 * came by another protocol than HTTP/1.1 is told in another way; the bytes behind it go on. Each side is read no faster than
 * the other one takes it, and a chunk only once the one before it was worked on.
 */
export class WebSocketClientEnd extends Duplex {
  readonly #handler: Handler
  #client: Duplex | null = null
  /** The last bytes of the head so far; null after it. */
  #head: string | null = ''
  #wanted = false
  /** Whether bytes of the client wait for their turn. */
  #isReading = false

  constructor(handler: Handler) {
    super({ allowHalfOpen: true })
    this.#handler = handler
  }

  join(client: Duplex): void {
    this.#client = client
    client.on('end', () => this.#handler.inTurn(() => this.push(null)))
    client.on('error', () => this.destroy())
    client.on('close', () => this.#handler.inTurn(() => this.destroy()))
    if (client.destroyed) this.destroy()
    else if (this.#wanted) this._read()
  }

  /** The upstream is over: what it has sent before goes on first. @param ms what a client has that does not read it */
  leave(ms: number): void {
    if (this.destroyed) return
    const timer = setTimeout(() => this.destroy(), ms)
    this.once('close', () => clearTimeout(timer))
    if (this.writableFinished) this.destroy()
    else this.once('finish', () => this.destroy())
    if (!this.writableEnded) this.end()
  }

  // What http-proxy sets on sockets is the client's own affair.
  setTimeout(): this {
    return this
  }

  setNoDelay(): this {
    return this
  }

  setKeepAlive(): this {
    return this
  }

  override _read(): void {
    this.#wanted = true
    const client = this.#client
    if (client === null || this.#isReading) return
    client.off('data', this.#onData)
    client.on('data', this.#onData)
    client.resume()
  }

  readonly #onData = (chunk: Buffer) => {
    this.#isReading = true
    this.#client?.pause()
    this.#inPieces(chunk, this.#handler.onClientBytes, (bytes) => {
      this.#isReading = false
      if (bytes.length === 0 || this.push(bytes)) this.#client?.resume()
    })
  }

  override _write(
    chunk: Buffer | string,
    encoding: BufferEncoding,
    done: (error?: Error | null) => void,
  ): void {
    const written = this.#behindHead(Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk, encoding))
    if (written.length === 0) {
      done()
      return
    }
    this.#inPieces(written, this.#handler.onBytes, (bytes) => {
      if (bytes.length === 0 || this.#client === null || this.#client.write(bytes)) done()
      else this.#client.once('drain', () => done())
    })
  }

  /** Each piece in a turn of its own; `done` gets what may go on, unless that ends it. */
  #inPieces(chunk: Buffer, read: (piece: Buffer) => Buffer | null, done: (bytes: Buffer) => void): void {
    const out: Buffer[] = []
    for (let at = 0; at < chunk.length; at += PIECE) {
      this.#handler.inTurn(() => {
        if (this.destroyed) return
        const bytes = read(chunk.subarray(at, at + PIECE))
        if (bytes === null) {
          this.destroy()
          return
        }
        out.push(bytes)
        if (at + PIECE >= chunk.length) done(out.length === 1 ? bytes : Buffer.concat(out))
      })
    }
  }

  #behindHead(chunk: Buffer): Buffer {
    if (this.#head === null) return chunk
    const seen = this.#head + chunk.toString('latin1')
    const at = seen.indexOf('\r\n\r\n')
    if (at < 0) {
      this.#head = seen.slice(-3)
      return chunk.subarray(0, 0)
    }
    const size = at + 4 - this.#head.length
    this.#head = null
    return chunk.subarray(size)
  }

  override _final(done: (error?: Error | null) => void): void {
    // Bytes that are still buffered belong to an incomplete message; drop them.
    this.#client?.end()
    done()
  }
}
