import type { Downstream } from '../downstream/downstream.js'
import { createDecoder, type Coding, type Decoder } from '../redaction/content-coding.js'
import type { Redactor } from '../redaction/redact.js'

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
  readonly #downstream: Downstream
  readonly #begin: () => void
  readonly #onFailure: (error: Error) => void
  #decoder: Decoder | null = null
  #onWritten: () => void = () => undefined

  /**
   * @param begin writes the head, if it is not written yet
   * @param onFailure the body cannot be decoded
   */
  constructor(
    codings: readonly Coding[],
    redactor: Redactor,
    downstream: Downstream,
    begin: () => void,
    onFailure: (error: Error) => void,
  ) {
    this.#codings = codings
    this.#redactor = redactor
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
    const clean = this.#redactor.push(chunk)
    if (clean.length === 0 || this.#downstream.write(clean)) return
    source.pause()
    this.#downstream.onDrain(() => source.resume())
  }

  #finish(): void {
    this.#begin()
    const rest = this.#redactor.flush()
    if (rest.length > 0) this.#downstream.write(rest)
    this.#downstream.end(null, this.#onWritten)
  }
}
