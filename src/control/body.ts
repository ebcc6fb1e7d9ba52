import type { IncomingMessage } from 'node:http'

/** Bytes of a request's body; far more than a command's first word and a name need. */
export const MAX_BODY_BYTES = 65_536

/** Reads a whole body, at most so much of it. Never rejects: a client that is gone gets whatever. */
export async function readBody(
  request: IncomingMessage,
): Promise<{ readonly value: unknown } | 'too large' | 'not JSON'> {
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > MAX_BODY_BYTES) return 'too large'
      chunks.push(chunk)
    }
    return { value: size === 0 ? null : (JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown) }
  } catch {
    return 'not JSON'
  }
}
