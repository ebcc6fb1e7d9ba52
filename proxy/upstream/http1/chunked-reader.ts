import type { RawHeaders } from '../upstream.js'
import { readFields, type Malformed } from './response-head.js'

/** Bytes of a line with a chunk's size and extensions; nobody uses extensions. */
const MAX_SIZE_LINE = 1_024

/** Bytes of all lines with sizes, beyond what sizes take. Threat: extensions are work that brings no data (CVE-2023-39326). */
const MAX_EXTENSIONS = 65_536

const MAX_TRAILERS = 16_384

/**
 * RFC 9112 section 7.1. Old servers pad sizes with spaces. A line break in an extension, or one that is no CRLF, is where two readers
 * part.
 */
const SIZE_LINE = /^([0-9a-fA-F]{1,12})[ \t]*(;[^\x00-\x08\x0a-\x1f\x7f]*)?\r\n$/

const LF = 0x0a

/** Undoes the chunked coding. */
export class ChunkedReader {
  #state: 'size' | 'data' | 'break' | 'trailers' | 'done' = 'size'
  /** A line that is not whole yet. */
  #line = ''
  #left = 0
  #extensions = 0
  #trailers: RawHeaders | null = null

  get isDone(): boolean {
    return this.#state === 'done'
  }

  /** Set when it is done; null for none. */
  get trailers(): RawHeaders | null {
    return this.#trailers
  }

  /**
   * Takes bytes from `at` on, up to the end of the body.
   *
   * @param onData gets the data; false to stop
   * @returns where the next message would begin
   */
  push(bytes: Buffer, at: number, onData: (data: Buffer) => boolean): number | Malformed {
    let next = at
    while (next < bytes.length && this.#state !== 'done') {
      if (this.#state === 'data') {
        const end = Math.min(next + this.#left, bytes.length)
        const data = bytes.subarray(next, end)
        this.#left -= data.length
        if (this.#left === 0) this.#state = 'break'
        next = end
        if (!onData(data)) return next
        continue
      }
      const lineEnd = bytes.indexOf(LF, next) + 1
      const end = lineEnd === 0 ? bytes.length : lineEnd
      this.#line += bytes.toString('latin1', next, end)
      const problem = lineEnd === 0 ? this.#checkPartial() : this.#takeLine()
      if (problem !== null) return { problem, at: next }
      next = end
    }
    return next
  }

  #checkPartial(): string | null {
    const { length } = this.#line
    if (this.#state === 'trailers') return length > MAX_TRAILERS ? TRAILERS : null
    if (this.#state === 'break') return length > 1 ? NO_BREAK : null
    return length > MAX_SIZE_LINE ? 'the line of a chunk size is too long' : null
  }

  /** The line is whole. */
  #takeLine(): string | null {
    if (this.#state === 'trailers') return this.#takeTrailer()
    const line = this.#line
    this.#line = ''
    if (this.#state === 'break') {
      this.#state = 'size'
      return line === '\r\n' ? null : NO_BREAK
    }
    const [whole, size = ''] = SIZE_LINE.exec(line) ?? []
    if (whole === undefined || line.length > MAX_SIZE_LINE) return 'the size of a chunk is malformed'
    this.#extensions += line.length - size.length - 2
    if (this.#extensions > MAX_EXTENSIONS) return 'too many chunk extensions'
    this.#left = parseInt(size, 16)
    this.#state = this.#left === 0 ? 'trailers' : 'data'
    return null
  }

  #takeTrailer(): string | null {
    const text = this.#line
    if (text.length > MAX_TRAILERS) return TRAILERS
    if (text !== '\r\n' && !text.endsWith('\n\r\n')) return null
    const fields = readFields(text, 0)
    if ('problem' in fields || fields.end !== text.length) return 'the trailers are malformed'
    if (Object.keys(fields.headers).length > 0) this.#trailers = fields.headers
    this.#state = 'done'
    return null
  }
}

const NO_BREAK = 'the data of a chunk does not end with CRLF'
const TRAILERS = 'the trailers are too long'
