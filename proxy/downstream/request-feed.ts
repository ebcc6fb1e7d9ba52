import type { Socket } from 'node:net'
import type { InTurn } from '../contracts/in-turn.js'

/** Unanswered requests of one connection, behind which nothing more is read. Clients that pipeline send a few ahead. */
const MAX_AHEAD = 4

/** Bytes of a body that are handed to the parser at once. */
const BODY_PIECE = 16_384

/** What the feed asks about the requests that the parser has found. */
export interface Requests {
  /** Those that have no answer yet. */
  unanswered(): number
  /** Whether the body of the last one is still to come. */
  inBody(): boolean
  /** When bytes that came are parsed. */
  readonly inTurn: InTurn
  /** So many bytes are held of a head that is not whole; 0 for none any more. May end the feed. */
  holdHead(bytes: number): void
}

/** Bytes of a head that every connection may hold. */
const FREE_HEAD = 32_768

/**
 * Stands between a connection and Node's parser, and hands over one head at a time. Threat: Node reads requests from a chunk
 * until nothing is left, and keeps an object of several kilobytes for each; a client that sends thousands ahead and reads no
 * answer fills the memory.
 */
export class RequestFeed {
  readonly #socket: Socket
  readonly #requests: Requests
  readonly #parse: (chunk: Buffer) => void
  #rest: Buffer | null = null
  #isFeeding = false
  #isPaused = false
  #isOver = false
  /** Bytes that the parser has of a head that is not whole. */
  #ofHead = 0
  #isPartial = false

  /** @param socket one that was just handed to Node's server, which listens for its data */
  constructor(socket: Socket, requests: Requests) {
    this.#socket = socket
    this.#requests = requests
    const [parse] = socket.listeners('data') as ((chunk: Buffer) => void)[]
    if (parse === undefined) throw new Error("Node's server does not read the connection")
    this.#parse = parse
    socket.removeListener('data', parse)
    // Node's server stops reading past JavaScript as soon as somebody else listens.
    socket.on('data', this.#take)
    socket.on('resume', this.#onResume)
  }

  /** Bytes that the parser has not had yet. */
  get held(): number {
    return this.#rest?.length ?? 0
  }

  /** A request was answered: there may be room for the next one. */
  continue(): void {
    if (this.#isFeeding || this.#isOver || this.#socket.destroyed) return
    this.#isFeeding = true
    // The parser may give the connection to somebody else, who takes the rest.
    while (this.#rest !== null && !this.#isFull()) {
      const piece = this.#next(this.#rest)
      this.#rest = piece.length === this.#rest.length ? null : this.#rest.subarray(piece.length)
      const before = this.#ofHead
      this.#ofHead = this.#isPartial ? before + piece.length : 0
      this.#parse(piece)
      if (Math.max(before, this.#ofHead) > FREE_HEAD) this.#requests.holdHead(this.#ofHead)
    }
    this.#isFeeding = false
    // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- the parser calls `end`
    if (this.#isOver) return
    if (this.#rest !== null) this.#pause()
    else if (this.#isPaused) {
      this.#isPaused = false
      this.#socket.resume()
    }
  }

  /** The parser gets nothing more. Returns what it has not had. */
  end(): Buffer {
    const rest = this.#rest ?? Buffer.alloc(0)
    this.#isOver = true
    this.#rest = null
    this.#socket.removeListener('data', this.#take)
    this.#socket.removeListener('resume', this.#onResume)
    return rest
  }

  readonly #take = (chunk: Buffer): void => {
    this.#rest = this.#rest === null ? chunk : Buffer.concat([this.#rest, chunk])
    // Threat: heads of thousands of lines, on a thousand connections at once, are parsed in one turn of the event loop.
    let isDone = false as boolean
    this.#requests.inTurn(() => {
      isDone = true
      this.continue()
    })
    if (!isDone) this.#pause()
  }

  readonly #onResume = (): void => {
    if (this.#rest !== null) this.continue()
  }

  #isFull(): boolean {
    // Node's server pauses connections whose answers are not read, and its parser must have nothing meanwhile.
    if ((this.#socket as { _paused?: boolean })._paused === true) return true
    return this.#requests.unanswered() >= MAX_AHEAD && !this.#requests.inBody()
  }

  #next(bytes: Buffer): Buffer {
    this.#isPartial = false
    if (this.#requests.inBody()) return bytes.subarray(0, BODY_PIECE)
    const end = bytes.indexOf('\r\n\r\n')
    this.#isPartial = end < 0
    return end < 0 ? bytes : bytes.subarray(0, end + 4)
  }

  #pause(): void {
    this.#isPaused = true
    this.#socket.pause()
  }
}
