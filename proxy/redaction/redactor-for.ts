import { pipeline, type Transform } from 'node:stream'
import type { MemoryReservation } from '#firewall/ledger/memory-budget.js'
import type { BodyRedactor } from './body-redactor.js'
import { createDecoder, type Coding, type Decoder } from './content-coding.js'
import { GrpcRedactor, GrpcTextRedactor } from './grpc-messages.js'
import { decodeText, openMessages, readMessageEncoding } from './grpc-opening.js'
import { Redactor, type PatternsInForce } from './redact.js'
import type { Tally } from './tally.js'

type RawHeaders = Readonly<Record<string, string | string[] | undefined>>

/** How a body is made readable and searched, as its head says. */
export interface BodyForm {
  /** Makes plain bytes of those that come; null where they are plain. @param first byte of the body */
  readonly decode: ((first: number) => Decoder) | null
  readonly redactor: BodyRedactor
}

/** gRPC, gRPC-Web and streams of Connect, which servers of gRPC speak as well: all put the same head before each message. */
const GRPC = /^\s*application\/(?:grpc(-web)?(-text)?|connect)\s*($|[+;,])/i

/** What the type of a body says of gRPC; null for most bodies. */
function grpcOf(headers: RawHeaders): RegExpExecArray | null {
  return GRPC.exec(String(headers['content-type']))
}

/** How messages are compressed; null where that cannot be undone. */
function messageEncodingOf(headers: RawHeaders): ReturnType<typeof readMessageEncoding> {
  const [first, second] = MESSAGE_ENCODINGS.map((name) => readMessageEncoding(headers[name]))
  if (first === 'identity' || first === second) return second ?? null
  return second === 'identity' ? (first ?? null) : null
}

const MESSAGE_ENCODINGS = ['grpc-encoding', 'connect-content-encoding'] as const

/** Whether messages of gRPC come in a form in which nothing can be found before it is undone; its length is then another. */
export function isCodedGrpc(headers: RawHeaders): boolean {
  const grpc = grpcOf(headers)
  if (grpc === null) return false
  return grpc[2] !== undefined || messageEncodingOf(headers) !== 'identity'
}

/** Whether the messages can be opened. */
export function isReadableGrpc(headers: RawHeaders): boolean {
  return grpcOf(headers) === null || messageEncodingOf(headers) !== null
}

/**
 * The form of a response's body.
 *
 * @param codings to undo; null where nothing is searched for, and the body passes as it is
 * @param memory for messages that have to be held
 */
export function bodyForm(
  headers: RawHeaders,
  codings: readonly Coding[] | null,
  inForce: PatternsInForce,
  tally: Tally,
  memory: MemoryReservation,
): BodyForm {
  const grpc = grpcOf(headers)
  if (codings === null) {
    // What is coded ends when there is a first secret to search for.
    const isPlainGrpc = grpc !== null && !isCodedGrpc(headers)
    const redactor = isPlainGrpc ? new GrpcRedactor(inForce, tally) : new Redactor(inForce, tally)
    return { decode: null, redactor }
  }
  const content = codings.length === 0 ? null : (first: number) => createDecoder(codings, first)
  if (grpc === null) return { decode: content, redactor: new Redactor(inForce, tally) }
  const isText = grpc[2] !== undefined
  const encoding = messageEncodingOf(headers)
  const redactor = new GrpcRedactor(inForce, tally)
  const isCoded = isText || content !== null || encoding !== 'identity'
  return {
    decode: isCoded
      ? (first) => {
          const stages: Transform[] = []
          if (isText) stages.push(decodeText())
          if (encoding === 'gzip' || encoding === 'deflate') stages.push(openMessages(encoding, memory))
          return chain(content?.(first) ?? null, stages)
        }
      : null,
    redactor: isText ? new GrpcTextRedactor(redactor) : redactor,
  }
}

function chain(first: Decoder | null, stages: readonly Transform[]): Decoder {
  const all = [...(first === null ? [] : [first.output]), ...stages]
  const [input, output] = [first?.input ?? all[0], all.at(-1)]
  if (input === undefined || output === undefined) throw new Error('there is nothing to decode')
  // An error of one stage ends the others; whoever reads the output sees it there.
  if (all.length > 1) pipeline(all, () => undefined)
  return { input, output }
}
