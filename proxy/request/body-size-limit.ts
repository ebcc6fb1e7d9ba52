import { Transform, type TransformCallback } from 'node:stream'
import { BodyTooLarge } from '../contracts/errors.js'

/** Counts a body as it passes, and fails when it goes over the limit. */
export class BodySizeLimit extends Transform {
  readonly #limit: number
  bytes = 0

  constructor(limit: number) {
    super()
    this.#limit = limit
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.bytes += chunk.length
    if (this.bytes > this.#limit) done(new BodyTooLarge())
    else done(null, chunk)
  }
}
