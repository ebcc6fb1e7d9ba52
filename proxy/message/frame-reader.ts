const EMPTY = Buffer.alloc(0)

/** RFC 6455 section 5.5: the payload of a control frame. */
const MAX_CONTROL = 125

/** RFC 6455 section 5.2: two bytes, eight of length, four of a mask. */
const MAX_HEAD = 14

const CLOSE = 8

const NO_FRAME = -1

/**
 * Reads one direction of a WebSocket without extensions (RFC 6455 section 5), and passes it on only as frames. Threat: a
 * connection on which other bytes than frames pass is a way to an upstream for requests that nobody checked.
 */
export class FrameReader {
  readonly #masked: boolean
  /** The head of the frame that is being read, as far as it is there. It is passed on whole. */
  #head: Buffer = EMPTY
  /** Bytes of the payload that are still to come, or NO_FRAME. */
  #left = NO_FRAME
  #inMessage = false
  #closed = false

  /** @param from who sends the frames: a client masks every frame, a server none */
  constructor(from: 'client' | 'server') {
    this.#masked = from === 'client'
  }

  /** A close frame has passed: whatever follows it is dropped. */
  get closed(): boolean {
    return this.#closed && this.#left === NO_FRAME
  }

  /** Takes the next bytes; returns those that may go on, or null if they are not frames of this side. */
  push(chunk: Buffer): Buffer | null {
    const out: Buffer[] = []
    for (let rest = chunk; rest.length > 0 && !this.closed;) {
      if (this.#left < 0) {
        const used = this.#readHead(rest)
        if (used === null) return null
        rest = rest.subarray(used)
        if (this.#left < 0) continue
        out.push(this.#head)
        this.#head = EMPTY
      }
      const part = rest.subarray(0, this.#left)
      rest = rest.subarray(part.length)
      if (part.length > 0) out.push(part)
      this.#left -= part.length
      if (this.#left === 0) this.#left = NO_FRAME
    }
    return out.length === 1 ? (out[0] ?? EMPTY) : Buffer.concat(out)
  }

  /** Takes bytes of a frame's head; says how many, or null where there can be no such head. */
  #readHead(bytes: Buffer): number | null {
    const before = this.#head.length
    const head = Buffer.concat([this.#head, bytes.subarray(0, MAX_HEAD - before)])
    const [first = 0, second] = head
    if (!this.#isOpcodeAllowed(first)) return null
    if (second !== undefined && second >= 0x80 !== this.#masked) return null
    const short = (second ?? 0) & 0x7f
    const size = second === undefined ? 2 : 2 + ({ 126: 2, 127: 8 }[short] ?? 0) + (this.#masked ? 4 : 0)
    this.#head = head.subarray(0, size)
    if (head.length < size) return head.length - before
    const length = lengthOf(this.#head, short)
    if (length === null || !this.#begin(first, length)) return null
    return size - before
  }

  /** Reserved bits are an extension's, such as compression, and none was agreed on. */
  #isOpcodeAllowed(first: number): boolean {
    const opcode = first & 0x0f
    if ((first & 0x70) !== 0) return false
    if (opcode >= CLOSE) return opcode <= 10 && first >= 0x80
    return opcode <= 2 && (opcode === 0) === this.#inMessage
  }

  #begin(first: number, length: number): boolean {
    const opcode = first & 0x0f
    if (opcode >= CLOSE) {
      if (length > MAX_CONTROL || (opcode === CLOSE && length === 1)) return false
      this.#closed = opcode === CLOSE
    } else this.#inMessage = first < 0x80
    this.#left = length
    return true
  }
}

/** Null for a length that has more bytes than it needs, or that no number holds. */
function lengthOf(head: Buffer, short: number): number | null {
  if (short < 126) return short
  if (short === 126) {
    const length = head.readUInt16BE(2)
    return length < 126 ? null : length
  }
  const length = head.readBigUInt64BE(2)
  return length < 65_536n || length > BigInt(Number.MAX_SAFE_INTEGER) ? null : Number(length)
}
