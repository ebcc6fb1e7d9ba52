import { Redactor } from './redact.js'

/** Bytes of a response head; a longer one is none. */
const MAX_HEAD = 131_072
/** Bytes of a control frame (RFC 6455 section 5.5). */
const MAX_CONTROL = 125

const EMPTY = Buffer.alloc(0)

/** A place in the output: bytes that are known, and how many are still to come. */
interface Slot {
  readonly parts: Buffer[]
  missing: number
}

interface Frame {
  readonly headerLength: number
  readonly payloadLength: number
  readonly control: boolean
  readonly final: boolean
}

/**
 * Redacts what an upstream says on a WebSocket: the head of its 101, then each message through the frames that it is cut
 * into (RFC 6455 section 5.4). Threat: where the upstream cuts depends on lengths, which the sandbox chooses, and a frame's
 * header between two halves of a secret would hide it from a search of the bytes.
 *
 * What turns out not to be frames is searched as bytes from there on.
 */
export class FrameRedactor {
  readonly #needles: readonly Buffer[]
  #mode: 'head' | 'frames' | 'bytes' = 'head'
  #input: Buffer = EMPTY
  #redactor: Redactor
  readonly #slots: Slot[] = []
  /** Of the data frame that is being read; null between frames. */
  #frame: { left: number; readonly final: boolean } | null = null
  #counted = 0

  constructor(needles: readonly Buffer[]) {
    this.#needles = needles
    this.#redactor = new Redactor(needles)
  }

  /** Secrets replaced so far. */
  get count(): number {
    return this.#counted + this.#redactor.count
  }

  /** Takes the next bytes; returns those that may go on, which may be none. */
  push(chunk: Buffer): Buffer {
    if (this.#needles.length === 0) return chunk
    this.#input = this.#input.length === 0 ? chunk : Buffer.concat([this.#input, chunk])
    if (this.#mode === 'head') this.#readHead()
    while (this.#mode === 'frames' && this.#readFrame());
    if (this.#mode === 'bytes') this.#literal(this.#redactor.push(this.#take(this.#input.length)))
    return this.#drain()
  }

  /** The bytes held back, at the end of the stream. */
  flush(): Buffer {
    this.#endMessage()
    this.#literal(this.#redactor.push(this.#take(this.#input.length)))
    this.#literal(this.#redactor.flush())
    return this.#drain()
  }

  #readHead(): void {
    const end = this.#input.indexOf('\r\n\r\n')
    if (end < 0 && this.#input.length <= MAX_HEAD) return
    this.#mode = end < 0 ? 'bytes' : 'frames'
    if (end >= 0) this.#whole(this.#take(end + 4))
  }

  /** Reads on in one frame; false when it needs more bytes. */
  #readFrame(): boolean {
    if (this.#frame !== null) return this.#readPayload(this.#frame)
    const frame = parseFrame(this.#input)
    if (frame === 'incomplete') return false
    if (frame === 'malformed') {
      this.#endMessage()
      this.#mode = 'bytes'
      return false
    }
    const { headerLength, payloadLength, control, final } = frame
    if (control && this.#input.length < headerLength + payloadLength) return false
    this.#literal(this.#take(headerLength))
    // A control frame may stand between those of a message, and is none of them.
    if (control) this.#control(this.#take(payloadLength))
    else this.#frame = { left: payloadLength, final }
    return true
  }

  #readPayload(frame: { left: number; readonly final: boolean }): boolean {
    const payload = this.#take(Math.min(frame.left, this.#input.length))
    frame.left -= payload.length
    this.#slots.push({ parts: [], missing: payload.length })
    this.#fill(this.#redactor.push(payload))
    if (frame.left > 0) return false
    this.#frame = null
    if (frame.final) this.#endMessage()
    return true
  }

  #control(payload: Buffer): void {
    const redactor = new Redactor(this.#needles)
    this.#literal(Buffer.concat([redactor.push(payload), redactor.flush()]))
    this.#counted += redactor.count
  }

  /** Bytes that stand for themselves and not for the beginning of anything. */
  #whole(bytes: Buffer): void {
    this.#literal(Buffer.concat([this.#redactor.push(bytes), this.#redactor.flush()]))
  }

  #endMessage(): void {
    if (this.#mode === 'frames') this.#fill(this.#redactor.flush())
  }

  #literal(bytes: Buffer): void {
    this.#slots.push({ parts: [bytes], missing: 0 })
  }

  /** Puts clean bytes where the payload that they are had its place. */
  #fill(clean: Buffer): void {
    let at = 0
    for (const slot of this.#slots) {
      const part = clean.subarray(at, at + slot.missing)
      slot.parts.push(part)
      slot.missing -= part.length
      at += part.length
    }
  }

  #take(length: number): Buffer {
    const taken = this.#input.subarray(0, length)
    this.#input = this.#input.subarray(length)
    return taken
  }

  #drain(): Buffer {
    const out: Buffer[] = []
    for (let slot = this.#slots[0]; slot !== undefined; slot = this.#slots[0]) {
      out.push(...slot.parts.splice(0))
      if (slot.missing > 0) break
      this.#slots.shift()
    }
    return Buffer.concat(out)
  }
}

/** RFC 6455 section 5.2, as a server sends it: not masked, and without the extensions that the gate did not pass on. */
function parseFrame(data: Buffer): Frame | 'incomplete' | 'malformed' {
  if (data.length < 2) return 'incomplete'
  const [first = 0, second = 0] = data
  const opcode = first & 0x0f
  const final = (first & 0x80) !== 0
  const control = opcode >= 8
  if ((first & 0x70) !== 0 || (second & 0x80) !== 0 || (opcode > 2 && opcode < 8) || opcode > 10)
    return 'malformed'
  const length = second & 0x7f
  if (control && (!final || length > MAX_CONTROL)) return 'malformed'
  const headerLength = length === 127 ? 10 : length === 126 ? 4 : 2
  if (data.length < headerLength) return 'incomplete'
  const payloadLength =
    length === 127 ? Number(data.readBigUInt64BE(2)) : length === 126 ? data.readUInt16BE(2) : length
  return Number.isSafeInteger(payloadLength) ? { headerLength, payloadLength, control, final } : 'malformed'
}
