import { UnreadableMessage, type BodyRedactor } from './body-redactor.js'
import { COMPRESSED, GrpcFrames, LAST, TRAILERS } from './grpc-frames.js'
import { Redactor, type PatternsInForce } from './redact.js'
import type { Tally } from './tally.js'

const EMPTY = Buffer.alloc(0)

/**
 * Redacts the messages of gRPC and gRPC-Web. No message waits for the next one, which a client may send its own answer to.
 * A secret is replaced by as many stars, so the lengths before messages stay true, and those of fields within them, too.
 *
 * Frames are searched together with their heads: a head begins with a zero (or with 0x80) and three more bytes that are zero
 * in all but huge messages, and no form of a secret has as many zeros in a row. So what is found never reaches over a head.
 */
export class GrpcRedactor implements BodyRedactor {
  readonly #redactor: Redactor
  readonly #frames = new GrpcFrames()
  /** What came is not gRPC: it is one text from there on. */
  #isText = false

  constructor(inForce: PatternsInForce, tally: Tally) {
    this.#redactor = new Redactor(inForce, tally)
  }

  push(chunk: Buffer): Buffer {
    const whole = this.#isText ? 0 : this.#endOfMessages(chunk)
    if (whole === 0) return this.#redactor.push(chunk)
    const out = [this.#redactor.push(chunk.subarray(0, whole)), this.#redactor.flush()]
    if (whole < chunk.length) out.push(this.#redactor.push(chunk.subarray(whole)))
    return Buffer.concat(out)
  }

  get waitsForLine(): boolean {
    return this.#redactor.waitsForLine
  }

  idle(): Buffer {
    return this.#redactor.idle()
  }

  flush(): Buffer {
    return this.#redactor.flush()
  }

  /** Where in the chunk the last message ends that is whole; 0 where none ends. */
  #endOfMessages(chunk: Buffer): number {
    let end = 0
    for (let at = 0; at < chunk.length;) {
      const isHead = this.#frames.head === null
      at += this.#frames.take(at === 0 ? chunk : chunk.subarray(at))
      if (isHead && !this.#isReadable()) {
        this.#isText = true
        return end
      }
      if (this.#frames.endEmpty() || this.#frames.isBetween) end = at
    }
    return end
  }

  #isReadable(): boolean {
    const { head } = this.#frames
    if (head === null) return true
    const flags = head.flags & ~(TRAILERS | LAST)
    // `openMessages` has opened those that can be.
    if (flags === COMPRESSED) throw new UnreadableMessage('a compressed message')
    return flags === 0
  }
}

/** The same for a body that goes out in base64 (`application/grpc-web-text`). */
export class GrpcTextRedactor implements BodyRedactor {
  readonly #redactor: GrpcRedactor

  /** @param redactor of the messages, which come decoded */
  constructor(redactor: GrpcRedactor) {
    this.#redactor = redactor
  }

  push(chunk: Buffer): Buffer {
    return encode(this.#redactor.push(chunk))
  }

  get waitsForLine(): boolean {
    return this.#redactor.waitsForLine
  }

  idle(): Buffer {
    return encode(this.#redactor.idle())
  }

  flush(): Buffer {
    return encode(this.#redactor.flush())
  }
}

/** Each piece has its own padding, as servers of gRPC-Web write it: none waits for the bytes that would fill it up. */
function encode(bytes: Buffer): Buffer {
  return bytes.length === 0 ? EMPTY : Buffer.from(bytes.toString('base64'), 'latin1')
}
