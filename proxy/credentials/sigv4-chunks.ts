import { createHash } from 'node:crypto'
import type { BodyTransform } from '#firewall/contracts/credential.js'
import { UnsupportedBody } from '../contracts/errors.js'
import { ByteReader } from './byte-reader.js'
import type { Signer } from './sigv4-signer.js'

/** Maximum size of one chunk, in bytes. It is buffered until it is signed. SDKs send 64 to 128 KiB; MinIO accepts no more. */
export const MAX_CHUNK = 16 * 1024 * 1024

/** Maximum size of the first line of a chunk and of a trailer line, in bytes. */
const MAX_LINE = 1_024
/** Maximum lines of a trailer: a checksum and its signature are two. */
const MAX_TRAILERS = 8

const EMPTY_HASH = createHash('sha256').digest('hex')

/**
 * Signs the chunks of an `aws-chunked` body again, each as soon as it is complete. The length does not change.
 *
 *     <size>;chunk-signature=<64 hex> CRLF <bytes> CRLF … 0;chunk-signature=<64 hex> CRLF
 *     [<name>:<value> CRLF … x-amz-trailer-signature:<64 hex> CRLF] CRLF
 *
 * Source: Amazon S3 API reference, "Transferring payload in multiple chunks" and "… with trailing headers".
 *
 * @param seed the signature of the request head, from which the first chunk's signature continues
 * @throws UnsupportedBody from the stream, so that the request ends before an invalid body is complete
 */
export function resignChunks(signer: Signer, seed: string, trailer: boolean): BodyTransform {
  return async function* (chunks) {
    const reader = new ByteReader(chunks)
    let previous = seed
    for (;;) {
      const [sizeText, size] = readHead(await reader.line(MAX_LINE))
      const pieces = await reader.pieces(size)
      if (pieces === null) throw new UnsupportedBody('A chunk of the body is cut off')
      const hash = createHash('sha256')
      for (const piece of pieces) hash.update(piece)
      previous = await sign(signer, 'PAYLOAD', previous, [EMPTY_HASH, hash.digest('hex')])
      yield Buffer.from(`${sizeText};chunk-signature=${previous}\r\n`, 'latin1')
      if (size === 0) break
      yield* pieces
      if ((await reader.line(0)) !== '')
        throw new UnsupportedBody('A chunk of the body is longer than it announces')
      yield Buffer.from('\r\n')
    }
    if (trailer) yield* resignTrailer(reader, signer, previous)
    else if ((await reader.line(0)) !== '')
      throw new UnsupportedBody('The last chunk of the body is incomplete')
    if (!(await reader.ended())) throw new UnsupportedBody('Data follows the last chunk of the body')
    yield Buffer.from('\r\n')
  }
}

function readHead(line: string | null): readonly [text: string, size: number] {
  const match = /^([0-9A-Fa-f]{1,8});chunk-signature=[0-9a-f]{64}$/.exec(line ?? '')
  if (match === null) throw new UnsupportedBody('The body does not consist of signed chunks')
  const size = parseInt(match[1] ?? '', 16)
  if (size > MAX_CHUNK)
    throw new UnsupportedBody(`A chunk of the body is larger than ${String(MAX_CHUNK)} bytes`)
  return [match[1] ?? '', size]
}

/** The checksum that follows the last chunk, and its signature. */
async function* resignTrailer(reader: ByteReader, signer: Signer, previous: string): AsyncIterable<Buffer> {
  const signed: string[] = []
  while (signed.length < MAX_TRAILERS) {
    const line = await reader.line(MAX_LINE)
    const match = /^([A-Za-z0-9-]+):[ \t]*([\x21-\x7e]*)[ \t]*$/.exec(line ?? '')
    if (match === null) break
    const [text, name = '', value = ''] = match
    if (name.toLowerCase() !== 'x-amz-trailer-signature') {
      signed.push(`${name.toLowerCase()}:${value}\n`)
      yield Buffer.from(`${text}\r\n`, 'latin1')
      continue
    }
    const hash = createHash('sha256').update(signed.sort().join('')).digest('hex')
    const signature = await sign(signer, 'TRAILER', previous, [hash])
    yield Buffer.from(`${name}:${signature}\r\n`, 'latin1')
    if ((await reader.line(0)) === '') return
    break
  }
  throw new UnsupportedBody('The trailer of the body is not signed')
}

function sign(
  signer: Signer,
  part: 'PAYLOAD' | 'TRAILER',
  previous: string,
  hashes: readonly string[],
): Promise<string> {
  const { timestamp, scope } = signer
  return signer.signString([`AWS4-HMAC-SHA256-${part}`, timestamp, scope, previous, ...hashes].join('\n'))
}
