import type { InTurn } from '../contracts/in-turn.js'
import type { Headers } from '#firewall/contracts/credential.js'
import type { Downstream } from '../downstream/downstream.js'
import { UnreadableMessage, type BodyRedactor } from '../redaction/body-redactor.js'
import type { Decoder } from '../redaction/content-coding.js'
import { Trimmer, type TrimmedRange } from '../redaction/ranges.js'
import type { BodyForm } from '../redaction/redactor-for.js'

/** Milliseconds after which a line that came is passed on, though it may go on in the next one. */
const LINE_MS = 50

/** Where the body comes from: it can be told to wait. */
export interface Source {
  pause(): void
  resume(): void
}

/** Bytes of a response that are searched at once. */
const PIECE = 16_384

/** Bytes that are written ahead of a client that does not keep up. The rest stays as it came, which is there once and not searched. */
const AHEAD = 16_384

/**
 * The way of a response's body. Each side is read as fast as the next one takes it, and what the upstream has flushed
 * reaches the sandbox at once.
 *
 *     sandbox ◀── redacted ── gateway ◀── decoded ── gateway ◀── as it was sent ── upstream
 */
export class ResponseBody {
  readonly #form: BodyForm
  /** Null where all of it is the client's. */
  readonly #trimmer: Trimmer | null
  readonly #downstream: Downstream
  readonly #begin: () => void
  readonly #onFailure: (error: Error) => void
  #decoder: Decoder | null = null
  #trailers: Headers | null = null
  #onWritten: () => void = () => undefined
  #passed = false
  #line: NodeJS.Timeout | null = null
  /** Pieces that came and are not searched yet, in order. */
  readonly #waiting: Buffer[] = []
  /** Who sent them. It is paused until they are on their way. */
  #source: Source | null = null
  #isPaused = false
  /** The first of them has its turn. */
  #isWorking = false
  readonly #inTurn: InTurn
  /** Bytes that were written since the client did not keep up; null while it does. */
  #unread: number | null = null
  /** Nothing comes behind what waits. */
  #isWhole = false
  #isOver = false

  /**
   * @param form how the body is made readable, and searched
   * @param part what of the body the client asked for; null for all of it
   * @param begin writes the head, if it is not written yet
   * @param onFailure the body cannot be decoded
   * @param inTurn when the next piece is searched
   */
  constructor(
    form: BodyForm,
    part: TrimmedRange | null,
    downstream: Downstream,
    begin: () => void,
    onFailure: (error: Error) => void,
    inTurn: InTurn = (work) => work(),
  ) {
    this.#inTurn = inTurn
    this.#form = form
    this.#trimmer = part === null ? null : new Trimmer(part)
    this.#downstream = downstream
    this.#begin = begin
    this.#onFailure = onFailure
  }

  write(chunk: Buffer, source: Source): void {
    const [first] = chunk
    if (first === undefined) return
    const { decode } = this.#form
    if (decode === null) {
      this.#take(chunk, source)
      return
    }
    this.#decoder ??= this.#begun(decode(first))
    const { input } = this.#decoder
    if (input.write(chunk)) return
    source.pause()
    input.once('drain', () => source.resume())
  }

  /** The upstream has sent everything; `onWritten` is called once all of it is written, these trailers included. */
  end(trailers: Headers | null, onWritten: () => void): void {
    this.#trailers = trailers
    this.#onWritten = onWritten
    if (this.#decoder === null) this.#complete()
    else this.#decoder.input.end()
  }

  /** Nobody waits for the rest. */
  destroy(): void {
    this.#isOver = true
    this.#waiting.length = 0
    this.#forgetLine()
    this.#decoder?.input.destroy()
    this.#decoder?.output.destroy()
  }

  #begun(decoder: Decoder): Decoder {
    decoder.output.on('data', (chunk: Buffer) => this.#take(chunk, decoder.output))
    decoder.output.on('end', () => this.#complete())
    decoder.output.on('error', this.#onFailure)
    return decoder
  }

  /** Threat: a chunk that is slow to search is searched whole while everybody waits. */
  #take(chunk: Buffer, source: Source): void {
    if (this.#isOver) return
    this.#forgetLine()
    this.#source = source
    if (chunk.length <= PIECE) this.#waiting.push(chunk)
    else for (let at = 0; at < chunk.length; at += PIECE) this.#waiting.push(chunk.subarray(at, at + PIECE))
    this.#work()
    if (this.#waiting.length > 0) this.#pause()
  }

  /** The last piece has come. */
  #complete(): void {
    this.#isWhole = true
    this.#work()
  }

  /** Has one piece after the other searched, each in its turn, until the client does not keep up. */
  #work(): void {
    while (!this.#isWorking && !this.#isOver) {
      if (this.#waiting.length > 0 ? this.#isBlocked : !this.#isWhole) {
        if (this.#unread === null) this.#resume()
        return
      }
      this.#isWorking = true
      let isLater = false as boolean
      this.#inTurn(() => {
        this.#isWorking = false
        const piece = this.#waiting.shift()
        if (this.#isOver) return
        if (piece === undefined) this.#finish()
        else this.#send(piece)
        if (isLater) this.#work()
      })
      isLater = true
    }
  }

  get #isBlocked(): boolean {
    return this.#unread !== null && this.#unread >= AHEAD
  }

  #send(chunk: Buffer): void {
    this.#begin()
    this.#forgetLine()
    const clean = this.#redact((redactor) => redactor.push(chunk))
    if (clean === null) return
    if (clean.length === 0 && !this.#passed) this.#flushHead()
    this.#passed = true
    if (clean.length === 0 || this.#downstream.write(clean)) {
      this.#waitForLine()
      return
    }
    const isKnown = this.#unread !== null
    this.#unread = (this.#unread ?? 0) + clean.length
    this.#pause()
    // Several pieces of a chunk may come before the client has taken the first.
    if (isKnown) return
    this.#downstream.onDrain(() => {
      this.#unread = null
      this.#work()
      this.#waitForLine()
    })
  }

  #pause(): void {
    if (this.#isPaused) return
    this.#isPaused = true
    this.#source?.pause()
  }

  #resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#source?.resume()
  }

  /** The head does not wait for what the body waits for, but goes out with a body that is whole by then. */
  #flushHead(): void {
    setImmediate(() => {
      if (!this.#isOver && this.#downstream.sendsNow) this.#downstream.flush()
    })
  }

  /**
   * Only while the source may send and nothing of it waits here. Threat: a client that stops to read, or keeps the gateway busy,
   * must not choose where a line is taken for whole.
   */
  #waitForLine(): void {
    this.#forgetLine()
    if (this.#waiting.length > 0 || this.#unread !== null || !this.#form.redactor.waitsForLine) return
    const line = setTimeout(() => {
      // Whoever was kept from its turn reads first what has come meanwhile, and what waits for a turn has it first.
      setImmediate(() =>
        this.#inTurn(() => {
          if (this.#line === line) this.#passLine()
        }),
      )
    }, LINE_MS)
    this.#line = line
  }

  #passLine(): void {
    const clean = this.#redact((redactor) => redactor.idle())
    if (clean !== null && clean.length > 0) this.#downstream.write(clean)
  }

  #forgetLine(): void {
    if (this.#line !== null) clearTimeout(this.#line)
    this.#line = null
  }

  /** Null where the body is of a form in which nothing can be found: that was told, and nothing of it passes. */
  #redact(work: (redactor: BodyRedactor) => Buffer): Buffer | null {
    try {
      const clean = work(this.#form.redactor)
      return this.#trimmer?.push(clean) ?? clean
    } catch (error) {
      if (!(error instanceof UnreadableMessage)) throw error
      this.#isOver = true
      this.#onFailure(error)
      return null
    }
  }

  #finish(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#begin()
    this.#forgetLine()
    const rest = this.#redact((redactor) => redactor.flush())
    if (rest === null) return
    if (rest.length > 0) this.#downstream.write(rest)
    this.#downstream.end(this.#trailers, this.#onWritten)
  }
}
