import { pipeline, Readable } from 'node:stream'
import type {
  BodyTransform,
  Headers,
  InjectionFailure,
  OutgoingBody,
} from '#firewall/contracts/credential.js'
import { MemoryExceeded, type MemoryReservation } from '#firewall/ledger/memory-budget.js'
import { BodyTooLarge, UnsupportedBody } from '../contracts/errors.js'
import type { Denial } from '../contracts/denial.js'
import type { Downstream } from '../downstream/downstream.js'
import { ByteBlocks } from '../message/byte-blocks.js'
import { BodySizeLimit } from './body-size-limit.js'
import { ForbiddenForm, type FormInspector } from './form-inspector.js'

/**
 * A request's body on its way: untouched until somebody asks for it, and then read no faster than it is taken.
 *
 *     sandbox ──▶ size limit ──▶ (fields of a form) ──▶ (what a credential does to it) ──▶ upstream
 */
export class RequestBody implements OutgoingBody {
  readonly #downstream: Pick<Downstream, 'body'>
  readonly #headers: Headers
  readonly #sizeLimit: BodySizeLimit
  readonly #inspector: FormInspector | null
  readonly #reservation: MemoryReservation
  #begun = false
  #released = false
  #content: Readable | Buffer | null = null
  #replaced = false

  /**
   * @param headers the ones that go upstream: what changes the body changes its length there
   * @param limit bytes
   * @param reservation is asked before more of the body is held
   * @param inspector for a form
   */
  constructor(
    downstream: Pick<Downstream, 'body'>,
    headers: Headers,
    limit: number,
    reservation: MemoryReservation,
    inspector: FormInspector | null,
  ) {
    this.#inspector = inspector
    this.#reservation = reservation
    this.#downstream = downstream
    this.#headers = headers
    this.#sizeLimit = new BodySizeLimit(limit)
  }

  /** Bytes that the sandbox has sent. */
  get bytes(): number {
    return this.#sizeLimit.bytes
  }

  /** Whether something else is sent than the sandbox did: its secrets included. */
  get isReplaced(): boolean {
    return this.#replaced
  }

  /** The policy does not allow what a form asks for. */
  get forbidden(): Denial | null {
    const error = this.#inspector?.errored
    return error instanceof ForbiddenForm ? error.denial : null
  }

  /** Why the body was cut short. Null if it was not, or if the sandbox simply disconnected. */
  get failure(): InjectionFailure | null {
    const error = this.#content instanceof Readable ? this.#content.errored : null
    if (this.#sizeLimit.errored instanceof BodyTooLarge) return { reason: 'too-large', detail: null }
    if (error instanceof MemoryExceeded) return { reason: 'busy', detail: null }
    return error instanceof UnsupportedBody
      ? { reason: 'credential-unsupported', detail: error.message }
      : null
  }

  /** What goes upstream. The failure of a body reaches whoever reads it. */
  content(): Readable | Buffer {
    return this.#content ?? this.#source()
  }

  async read(limit: number): Promise<Buffer | null> {
    const blocks = new ByteBlocks()
    for await (const chunk of this.#source() as AsyncIterable<Buffer>) {
      if (blocks.length + chunk.length > limit) return null
      this.#reservation.reserve(chunk.length)
      blocks.append(chunk)
    }
    const bytes = blocks.concat()
    this.#hold(bytes)
    return bytes
  }

  /** Nothing will be sent of it any more. */
  release(): void {
    this.#released = true
    this.#reservation.release()
  }

  replace(bytes: Buffer): void {
    this.#replaced = true
    this.#hold(bytes)
  }

  #hold(bytes: Buffer): void {
    // What is still to come is read and dropped, so that the connection is ready for the next request.
    if (!this.#begun) this.#source().resume()
    this.#content = bytes
    this.#headers['content-length'] = String(bytes.length)
  }

  transform(through: BodyTransform, length: number | null): void {
    this.#content = Readable.from(this.#sent(through(this.#buffered())))
    if (length === null) delete this.#headers['content-length']
    else this.#headers['content-length'] = String(length)
  }

  async *#buffered(): AsyncIterable<Buffer> {
    for await (const chunk of this.#source() as AsyncIterable<Buffer>) {
      // The upstream has answered before the end: what is still to come is dropped.
      if (this.#released) continue
      this.#reservation.reserve(chunk.length)
      yield chunk
    }
  }

  async *#sent(chunks: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
    for await (const chunk of chunks) {
      yield chunk
      this.#reservation.release(chunk.length)
    }
  }

  #source(): Readable {
    const source = this.#inspector ?? this.#sizeLimit
    if (this.#begun) return source
    this.#begun = true
    if (this.#inspector === null) pipeline(this.#downstream.body(), this.#sizeLimit, () => undefined)
    else pipeline(this.#downstream.body(), this.#sizeLimit, this.#inspector, () => undefined)
    return source
  }
}
