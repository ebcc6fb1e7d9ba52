import { Redactor, type PatternsInForce } from './redact.js'
import type { Tally } from './tally.js'

const EMPTY = Buffer.alloc(0)

/**
 * Bytes of frame heads and control frames that may queue behind payload which waits (enough for several hundred pings).
 */
const MAX_WAITING = 65_536

/** RFC 6455 section 5.5: the payload of a control frame. */
const MAX_CONTROL = 125

interface Frame {
  readonly final: boolean
  readonly opcode: number
  readonly length: number
}

const isControl = ({ opcode }: Frame) => opcode >= 8

/**
 * Redacts what a WebSocket server sends (RFC 6455 section 5). A message is searched as one text, however it is cut into
 * fragments; no message waits for the next one. Frames keep their lengths.
 */
export class FrameRedactor {
  readonly #inForce: PatternsInForce
  readonly #tally: Tally
  readonly #message: Redactor
  /** The frame that is being read: its head as far as it is there, and once it is, what the head says. */
  #head: Buffer = EMPTY
  #frame: Frame | null = null
  /** Bytes of its payload still to come, and those of a control frame that came. */
  #left = 0
  #control: Buffer = EMPTY
  #inMessage = false
  /** Payload bytes of the message that came, and that went on. */
  #taken = 0
  #released = 0
  /** Heads and control frames that stand among payload that is held back, by their place in it, and their bytes. */
  #waiting: { readonly at: number; readonly bytes: Buffer }[] = []
  #waitingBytes = 0

  constructor(inForce: PatternsInForce, tally: Tally) {
    this.#inForce = inForce
    this.#tally = tally
    this.#message = new Redactor(inForce, tally)
  }

  /** Takes the next bytes; returns those that may go on, or null when these are no frames of a server. */
  push(chunk: Buffer): Buffer | null {
    const out: Buffer[] = []
    for (let rest = chunk; rest.length > 0;) {
      if (this.#frame === null) {
        const used = this.#readHead(rest)
        if (used === null) return null
        rest = rest.subarray(used)
        this.#beginFrame(out)
      } else {
        const part = rest.subarray(0, this.#left)
        rest = rest.subarray(part.length)
        this.#left -= part.length
        this.#takePayload(this.#frame, part, out)
      }
      this.#endFrame(out)
    }
    return this.#waitingBytes > MAX_WAITING ? null : Buffer.concat(out)
  }

  /** Takes bytes of a frame's head; says how many, or null where there can be no such head. */
  #readHead(bytes: Buffer): number | null {
    const before = this.#head.length
    const head = Buffer.concat([this.#head, bytes.subarray(0, 10 - before)])
    const size = head.length < 2 ? 2 : ({ 126: 4, 127: 10 }[(head[1] ?? 0) & 0x7f] ?? 2)
    this.#head = head.subarray(0, size)
    if (head.length < size) return head.length - before
    this.#frame = readFrame(this.#head, this.#inMessage)
    return this.#frame === null ? null : size - before
  }

  #beginFrame(out: Buffer[]): void {
    if (this.#frame === null) return
    this.#left = this.#frame.length
    if (isControl(this.#frame)) return
    this.#inMessage = true
    this.#insert(this.#head, out)
  }

  #takePayload(frame: Frame, part: Buffer, out: Buffer[]): void {
    if (isControl(frame)) {
      this.#control = Buffer.concat([this.#control, part])
      return
    }
    this.#taken += part.length
    this.#release(this.#message.push(part), out)
  }

  #endFrame(out: Buffer[]): void {
    if (this.#frame === null || this.#left > 0) return
    if (isControl(this.#frame)) {
      const redactor = new Redactor(this.#inForce, this.#tally)
      this.#insert(Buffer.concat([this.#head, redactor.push(this.#control), redactor.flush()]), out)
      this.#control = EMPTY
    } else if (this.#frame.final) {
      this.#release(this.#message.flush(), out)
      this.#inMessage = false
      this.#taken = 0
      this.#released = 0
    }
    this.#head = EMPTY
    this.#frame = null
  }

  /** Puts bytes that are no payload where they stand in it. */
  #insert(bytes: Buffer, out: Buffer[]): void {
    this.#waiting.push({ at: this.#taken, bytes })
    this.#waitingBytes += bytes.length
    this.#release(EMPTY, out)
  }

  #release(payload: Buffer, out: Buffer[]): void {
    let rest = payload
    let passed = 0
    for (const { at, bytes } of this.#waiting) {
      const before = at - this.#released
      if (before > rest.length) break
      out.push(rest.subarray(0, before), bytes)
      rest = rest.subarray(before)
      this.#released = at
      this.#waitingBytes -= bytes.length
      passed += 1
    }
    if (passed > 0) this.#waiting = this.#waiting.slice(passed)
    out.push(rest)
    this.#released += rest.length
  }
}

/** RFC 6455 section 5.2; null for a frame that no server may send to a client that agreed to no extension. */
function readFrame(head: Buffer, inMessage: boolean): Frame | null {
  const [first = 0, second = 0] = head
  const final = (first & 0x80) !== 0
  const opcode = first & 0x0f
  // Reserved bits are an extension's, such as compression; a mask is a client's.
  if ((first & 0x70) !== 0 || (second & 0x80) !== 0) return null
  const short = second & 0x7f
  const length =
    short === 127 ? head.readBigUInt64BE(2) : BigInt(short === 126 ? head.readUInt16BE(2) : short)
  if (length > BigInt(Number.MAX_SAFE_INTEGER)) return null
  const frame = { final, opcode, length: Number(length) }
  if (isControl(frame)) return opcode <= 10 && final && frame.length <= MAX_CONTROL ? frame : null
  if (opcode > 2) return null
  return (opcode === 0) === inMessage ? frame : null
}
