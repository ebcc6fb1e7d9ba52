import { createHash } from 'node:crypto'
import type { BodyTransform } from '#firewall/contracts/credential.js'
import { UnsupportedBody } from '../contracts/errors.js'
import { ByteReader } from './byte-reader.js'
import type { Signer } from './sigv4-signer.js'

/** Bytes of one chunk, which is held until it is signed. SDKs send 64 to 128 KiB; MinIO takes no more than this. */
export const MAX_CHUNK = 16 * 1024 * 1024

/** Bytes of a chunk's first line and of a trailer's. */
const MAX_LINE = 1_024
/** Lines of a trailer: a checksum and its signature are two. */
const MAX_TRAILERS = 8

const EMPTY_HASH = createHash('sha256').digest('hex')

/**
 * Signs the chunks of an `aws-chunked` body anew, each as soon as it is complete. The length does not change.
 *
 *     <size>;chunk-signature=<64 hex> CRLF <bytes> CRLF … 0;chunk-signature=<64 hex> CRLF
 *     [<name>:<value> CRLF … x-amz-trailer-signature:<64 hex> CRLF] CRLF
 *
 * Source: Amazon S3 API reference, "Transferring payload in multiple chunks" and "… with trailing headers".
 *
 * @param seed the signature of the request's head, which the first chunk's continues
 * @throws UnsupportedBody from the stream, so that the request ends before anything wrong is complete
 */
export function resignChunks(signer: Signer, seed: string, trailer: boolean): BodyTransform {
  return async function* (chunks) {
    const reader = new ByteReader(chunks)
    let previous = seed
    for (;;) {
      const [sizeText, size] = readHead(await reader.line(MAX_LINE))
      const pieces = await reader.pieces(size)
      if (pieces === null) throw new UnsupportedBody('a chunk of the body is cut off')
      const hash = createHash('sha256')
      for (const piece of pieces) hash.update(piece)
      previous = await sign(signer, 'PAYLOAD', previous, [EMPTY_HASH, hash.digest('hex')])
      yield Buffer.from(`${sizeText};chunk-signature=${previous}\r\n`, 'latin1')
      if (size === 0) break
      yield* pieces
      if ((await reader.line(0)) !== '')
        throw new UnsupportedBody('a chunk of the body does not end where it says')
      yield Buffer.from('\r\n')
    }
    if (trailer) yield* resignTrailer(reader, signer, previous)
    else if ((await reader.line(0)) !== '')
      throw new UnsupportedBody('the last chunk of the body does not end')
    if (!(await reader.ended())) throw new UnsupportedBody('something follows the last chunk of the body')
    yield Buffer.from('\r\n')
  }
}

function readHead(line: string | null): readonly [text: string, size: number] {
  const match = /^([0-9A-Fa-f]{1,8});chunk-signature=[0-9a-f]{64}$/.exec(line ?? '')
  if (match === null) throw new UnsupportedBody('the body is not made of signed chunks')
  const size = parseInt(match[1] ?? '', 16)
  if (size > MAX_CHUNK)
    throw new UnsupportedBody(`a chunk of the body is larger than ${String(MAX_CHUNK)} bytes`)
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
  throw new UnsupportedBody('the trailer of the body is not a signed one')
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
