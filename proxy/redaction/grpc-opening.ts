import { Transform, type TransformCallback } from 'node:stream'
import { createGunzip, createInflate } from 'node:zlib'
import type { MemoryReservation } from '#firewall/ledger/memory-budget.js'
import { ByteBlocks } from '../message/byte-blocks.js'
import { UnreadableMessage } from './body-redactor.js'
import { COMPRESSED, GrpcFrames, grpcHead, type GrpcHead } from './grpc-frames.js'

/** What `grpc-encoding` says and can be undone here. */
export type MessageEncoding = 'gzip' | 'deflate'

/**
 * Bytes of a compressed message, and of what it stands for: it has to be held whole, since its length goes before it. Clients
 * take 4 MiB unless they are told otherwise.
 */
const MAX_MESSAGE = 16 * 1024 * 1024

/** Null for an encoding that cannot be undone. */
export function readMessageEncoding(
  value: string | string[] | undefined,
): MessageEncoding | 'identity' | null {
  if (value === undefined) return 'identity'
  const name = String(value).trim().toLowerCase()
  return name === 'gzip' || name === 'deflate' || name === 'identity' ? name : null
}

/**
 * Opens compressed messages and passes them on as they were before, with their new lengths; others pass as they come. Memory is
 * taken for one message at a time.
 */
export function openMessages(encoding: MessageEncoding, memory: MemoryReservation): Transform {
  return new MessageOpener(encoding, memory)
}

class MessageOpener extends Transform {
  readonly #encoding: MessageEncoding
  readonly #memory: MemoryReservation
  readonly #frames = new GrpcFrames()
  /** The compressed message that is being read. */
  #compressed: ByteBlocks | null = null
  #reserved = 0

  constructor(encoding: MessageEncoding, memory: MemoryReservation) {
    super()
    this.#encoding = encoding
    this.#memory = memory
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    // What was opened before has been taken.
    if (this.#compressed === null) this.#release()
    this.#read(chunk).then(() => done(), done)
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#release()
    done(error)
  }

  async #read(chunk: Buffer): Promise<void> {
    for (let rest = chunk; rest.length > 0;) {
      const before = this.#frames.head
      const part = rest.subarray(0, this.#frames.take(rest))
      rest = rest.subarray(part.length)
      if (before === null) this.#begin(this.#frames.head)
      else if (this.#compressed === null) this.push(part)
      else this.#compressed.append(part)
      const ended = this.#frames.endEmpty() || (before !== null && this.#frames.head === null)
      if (ended && this.#compressed !== null) await this.#open(this.#compressed, before ?? NO_FLAGS)
    }
  }

  #begin(head: GrpcHead | null): void {
    if (head === null) return
    if ((head.flags & COMPRESSED) === 0) {
      this.push(grpcHead(head))
      return
    }
    if (head.length > MAX_MESSAGE) throw new UnreadableMessage('a compressed message is too large')
    this.#reserve(head.length)
    this.#compressed = new ByteBlocks()
  }

  /** Decompressed beside the event loop, which others wait for. */
  async #open(compressed: ByteBlocks, { flags }: GrpcHead): Promise<void> {
    const stage = this.#encoding === 'gzip' ? createGunzip() : createInflate()
    stage.on('error', () => undefined)
    const plain = new ByteBlocks()
    stage.end(compressed.concat())
    try {
      for await (const chunk of stage as AsyncIterable<Buffer>) {
        if (plain.length + chunk.length > MAX_MESSAGE) throw new UnreadableMessage('a message is too large')
        this.#reserve(chunk.length)
        plain.append(chunk)
      }
    } finally {
      stage.destroy()
    }
    this.#compressed = null
    this.push(grpcHead({ flags: flags & ~COMPRESSED, length: plain.length }))
    for (const piece of plain.pieces()) this.push(piece)
  }

  #reserve(bytes: number): void {
    this.#memory.reserve(bytes)
    this.#reserved += bytes
  }

  #release(): void {
    if (this.#reserved > 0) this.#memory.release(this.#reserved)
    this.#reserved = 0
  }
}

const NO_FLAGS: GrpcHead = Object.freeze({ flags: COMPRESSED, length: 0 })

/** Undoes the base64 of `application/grpc-web-text`, of which each part may have its own padding. */
export function decodeText(): Transform {
  let rest = ''
  const decode = (text: string) =>
    Buffer.concat((text.match(/[^=]+=*/g) ?? []).map((part) => Buffer.from(part, 'base64')))
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const text = rest + chunk.toString('latin1').replace(/[\r\n\t ]/g, '')
      if (/[^A-Za-z0-9+/=]/.test(text)) {
        done(new UnreadableMessage('not base64'))
        return
      }
      const whole = text.length - (text.length % 4)
      rest = text.slice(whole)
      done(null, decode(text.slice(0, whole)))
    },
    flush(done) {
      done(null, decode(rest))
    },
  })
}
