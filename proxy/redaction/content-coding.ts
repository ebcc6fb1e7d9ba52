import { pipeline, Transform } from 'node:stream'
import * as zlib from 'node:zlib'
import type { Headers } from '#firewall/contracts/credential.js'
import { newHeaders } from '../message/headers.js'

/** A content coding of RFC 9110 section 8.4.1, RFC 7932 or RFC 8878 that can be undone here. */
export type Coding = 'gzip' | 'deflate' | 'br' | 'zstd'

/** Codings on top of one another; nobody means more than this. */
const MAX_CODINGS = 2

/** Since Node 22.15. */
const { createZstdDecompress } = zlib as {
  createZstdDecompress?: (options: { params: Record<number, number> }) => Transform
}

const NAMES: ReadonlyMap<string, Coding> = new Map([
  ['gzip', 'gzip'],
  ['x-gzip', 'gzip'],
  ['deflate', 'deflate'],
  ['br', 'br'],
  ...(createZstdDecompress === undefined ? [] : ([['zstd', 'zstd']] as const)),
])

/** The codings of a Content-Encoding in the order in which they were applied; null when one cannot be undone. */
export function readCodings(value: string | string[] | undefined): readonly Coding[] | null {
  if (value === undefined) return []
  const names = (Array.isArray(value) ? value.join() : value)
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '' && name !== 'identity')
  const codings = names.flatMap((name) => NAMES.get(name) ?? [])
  return codings.length === names.length && codings.length <= MAX_CODINGS ? codings : null
}

/** Coded bytes go in at one end, and come out plain at the other. */
export interface Decoder {
  readonly input: Transform
  readonly output: Transform
}

/**
 * Undoes one or two codings. What the upstream has flushed comes out at once; what is not read is not decoded, so that a
 * small body that stands for a large one takes no memory. `output` fails where the body is damaged or ends too early.
 *
 * @param first the first byte of the body
 */
export function createDecoder(codings: readonly Coding[], first: number): Decoder {
  const stages = [...codings].reverse().flatMap((coding, index) => {
    const stage = createStage(coding, index === 0 ? first : ZLIB)
    return coding === 'br' ? [windowCheck(), stage] : [stage]
  })
  const [input, output] = [stages[0], stages.at(-1)]
  if (input === undefined || output === undefined) throw new Error('there is nothing to decode')
  // An error of one stage ends the others; whoever reads the output sees it there.
  if (input !== output) pipeline(stages, () => undefined)
  return { input, output }
}

/** The usual first byte of the zlib format. */
const ZLIB = 0x78

function createStage(coding: Coding, first: number): Transform {
  if (coding === 'gzip') return zlib.createGunzip({ flush: zlib.constants.Z_SYNC_FLUSH })
  if (coding === 'br') return zlib.createBrotliDecompress({ flush: zlib.constants.BROTLI_OPERATION_FLUSH })
  if (coding === 'deflate') {
    // RFC 9110 section 8.4.1.2 means zlib; some servers send it without the zlib header, whose low bits say "deflate".
    const inflate = (first & 0x0f) === 8 ? zlib.createInflate : zlib.createInflateRaw
    return inflate({ flush: zlib.constants.Z_SYNC_FLUSH })
  }
  if (createZstdDecompress === undefined) throw new Error('this Node.js has no zstd')
  return createZstdDecompress({ params: { [ZSTD_WINDOW]: MAX_ZSTD_WINDOW } })
}

/** Bits of the largest windows, which the sender chooses and the gateway has to hold: 4 MiB for br, 8 MiB for zstd (RFC 9659). */
const MAX_BROTLI_WINDOW = 22
const MAX_ZSTD_WINDOW = 23

/** `ZSTD_d_windowLogMax`, which the types do not have yet. */
const ZSTD_WINDOW = 100

/** Threat: a body of some bytes takes 16 MiB, for as long as its reader likes. */
function windowCheck(): Transform {
  let isFirst = true
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      if (isFirst && brotliWindow(chunk[0] ?? 0) > MAX_BROTLI_WINDOW) {
        done(Object.assign(new Error('the window is too large'), { code: 'EGRESS_WINDOW' }))
        return
      }
      isFirst = false
      done(null, chunk)
    },
  })
}

/** Bits of a brotli stream's window, by its first byte (RFC 7932 section 9.1); Infinity for a large window that is no part of it. */
export function brotliWindow(first: number): number {
  if ((first & 1) === 0) return 16
  const high = (first >> 1) & 7
  if (high !== 0) return 17 + high
  const low = (first >> 4) & 7
  return low === 0 ? 17 : low === 1 ? Infinity : 8 + low
}

/** Headers that speak of the coded bytes. */
const OF_CODED_BYTES =
  /^(content-encoding|content-length|content-md5|digest|content-digest|repr-digest|accept-ranges|x-goog-hash|x-amz-checksum-.*)$/

/** The head of a response whose body is passed on decoded. A strong validator no longer tells the truth (RFC 9110 section 8.8.1). */
export function decodedHeaders(headers: Headers): Headers {
  const kept = newHeaders()
  for (const [name, value] of Object.entries(headers)) if (!OF_CODED_BYTES.test(name)) kept[name] = value
  const etag = kept['etag']
  if (typeof etag === 'string' && etag.startsWith('"')) kept['etag'] = `W/${etag}`
  return kept
}
