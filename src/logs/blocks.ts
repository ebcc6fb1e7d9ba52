import { createReadStream } from 'node:fs'
import type { Readable } from 'node:stream'
import * as zlib from 'node:zlib'

const LF = 0x0a

/** Bytes that are read at once. Larger ones cost memory, smaller ones a turn of the event loop each. */
const READ_BYTES = 1_048_576

/** Bytes of a line; no record is as long. What is longer is cut into several, each of which is damaged. */
const MAX_LINE_BYTES = 64 * 1_048_576

/** Node has it from 22.15 on. */
const zstd = zlib as { readonly createZstdDecompress?: () => NodeJS.ReadWriteStream }

/** How names of files end that are read, with what expands them. Null where this Node cannot. */
const EXPANDERS: Readonly<Record<string, (() => NodeJS.ReadWriteStream) | null>> = {
  '.gz': () => zlib.createGunzip({ chunkSize: READ_BYTES }),
  '.zst': zstd.createZstdDecompress ?? null,
}

/** The endings of compressed files. */
export const COMPRESSED = Object.keys(EXPANDERS)

/** The file's bytes, expanded if it is compressed. @param count is told of each part of the file as it is */
function contentOf(file: string, count: (bytes: number) => void): Readable {
  const stream = createReadStream(file, { highWaterMark: READ_BYTES })
  stream.on('data', (chunk) => count(chunk.length))
  const ending = COMPRESSED.find((one) => file.endsWith(one))
  if (ending === undefined) return stream
  const expander = EXPANDERS[ending]?.()
  if (expander == null)
    throw new Error(`${file}: this version of Node.js cannot expand ${ending}. Use 22.15 or later`)
  stream.on('error', (error) => (expander as unknown as Readable).destroy(error))
  return stream.pipe(expander) as unknown as Readable
}

/** Whole lines of a file, block by block, each with its line feeds but perhaps the last. */
export async function* blocksOf(
  file: string,
  count: (bytes: number) => void = () => undefined,
): AsyncGenerator<Buffer> {
  let rest: Buffer[] = []
  let length = 0
  for await (const chunk of contentOf(file, count)) {
    const bytes = chunk as Buffer
    const end = bytes.lastIndexOf(LF) + 1
    if (end === 0 && length < MAX_LINE_BYTES) {
      rest.push(bytes)
      length += bytes.length
      continue
    }
    yield Buffer.concat([...rest, bytes.subarray(0, end)])
    rest = end < bytes.length ? [bytes.subarray(end)] : []
    length = bytes.length - end
  }
  if (length > 0) yield Buffer.concat(rest)
}

/** The lines of a block without their line feeds. An empty line is none, and counts. */
export function* linesIn(block: Buffer): Generator<Buffer | null> {
  let at = 0
  for (let lf = block.indexOf(LF); lf >= 0; lf = block.indexOf(LF, at)) {
    yield lf > at ? block.subarray(at, lf) : null
    at = lf + 1
  }
  if (at < block.length) yield block.subarray(at)
}
