import type { Downstream } from '../downstream/downstream.js'
import { createDecoder, type Coding, type Decoder } from '../redaction/content-coding.js'
import { Trimmer, type TrimmedRange } from '../redaction/ranges.js'
import type { Redactor } from '../redaction/redact.js'

/** Milliseconds after which a line that came is passed on, though it may go on in the next one. */
const LINE_MS = 50

/** Where the body comes from: it can be told to wait. */
export interface Source {
  pause(): void
  resume(): void
}

/**
 * The way of a response's body. Each side is read as fast as the next one takes it, and what the upstream has flushed
 * reaches the sandbox at once.
 *
 *     sandbox ◀── redacted ── gateway ◀── decoded ── gateway ◀── as it was sent ── upstream
 */
export class ResponseBody {
  readonly #codings: readonly Coding[]
  readonly #redactor: Redactor
  /** Null where all of it is the client's. */
  readonly #trimmer: Trimmer | null
  readonly #downstream: Downstream
  readonly #begin: () => void
  readonly #onFailure: (error: Error) => void
  #decoder: Decoder | null = null
  #onWritten: () => void = () => undefined
  #passed = false
  #line: NodeJS.Timeout | null = null

  /**
   * @param part what of the body the client asked for; null for all of it
   * @param begin writes the head, if it is not written yet
   * @param onFailure the body cannot be decoded
   */
  constructor(
    codings: readonly Coding[],
    redactor: Redactor,
    part: TrimmedRange | null,
    downstream: Downstream,
    begin: () => void,
    onFailure: (error: Error) => void,
  ) {
    this.#codings = codings
    this.#redactor = redactor
    this.#trimmer = part === null ? null : new Trimmer(part)
    this.#downstream = downstream
    this.#begin = begin
    this.#onFailure = onFailure
  }

  write(chunk: Buffer, source: Source): void {
    const [first] = chunk
    if (first === undefined) return
    if (this.#codings.length === 0) {
      this.#send(chunk, source)
      return
    }
    this.#decoder ??= this.#decode(first)
    const { input } = this.#decoder
    if (input.write(chunk)) return
    source.pause()
    input.once('drain', () => source.resume())
  }

  /** The upstream has sent everything; `onWritten` is called once all of it is written. */
  end(onWritten: () => void): void {
    this.#onWritten = onWritten
    if (this.#decoder === null) this.#finish()
    else this.#decoder.input.end()
  }

  /** Nobody waits for the rest. */
  destroy(): void {
    this.#forgetLine()
    this.#decoder?.input.destroy()
    this.#decoder?.output.destroy()
  }

  #decode(first: number): Decoder {
    const decoder = createDecoder(this.#codings, first)
    decoder.output.on('data', (chunk: Buffer) => this.#send(chunk, decoder.output))
    decoder.output.on('end', () => this.#finish())
    decoder.output.on('error', this.#onFailure)
    return decoder
  }

  #send(chunk: Buffer, source: Source): void {
    this.#begin()
    this.#forgetLine()
    const clean = this.#trim(this.#redactor.push(chunk))
    // The head does not wait for what the body waits for.
    if (clean.length === 0 && !this.#passed && this.#downstream.sendsNow) this.#downstream.flush()
    this.#passed = true
    if (clean.length === 0 || this.#downstream.write(clean)) {
      this.#waitForLine()
      return
    }
    source.pause()
    this.#downstream.onDrain(() => {
      source.resume()
      this.#waitForLine()
    })
  }

  /** Only while the source may send: a client that stops to read must not choose where a line is taken for whole. */
  #waitForLine(): void {
    if (!this.#redactor.waitsForLine) return
    this.#forgetLine()
    this.#line = setTimeout(() => {
      const clean = this.#trim(this.#redactor.idle())
      if (clean.length > 0) this.#downstream.write(clean)
    }, LINE_MS)
  }

  #forgetLine(): void {
    if (this.#line !== null) clearTimeout(this.#line)
    this.#line = null
  }

  #trim(chunk: Buffer): Buffer {
    return this.#trimmer?.push(chunk) ?? chunk
  }

  #finish(): void {
    this.#begin()
    this.#forgetLine()
    const rest = this.#trim(this.#redactor.flush())
    if (rest.length > 0) this.#downstream.write(rest)
    this.#downstream.end(null, this.#onWritten)
  }
}
