import type { Headers } from '#firewall/credential.js'

const STAR = 0x2a
const EMPTY = Buffer.alloc(0)

/**
 * Replaces secrets in a byte stream by stars, as many as the secret is long: Content-Length, chunk and WebSocket frame
 * lengths stay true. A secret split over chunks is found, and no more is held back than the end of a chunk that may be
 * the beginning of a secret, so an event stream flows at once.
 */
export class Redactor {
  readonly #needles: readonly Buffer[]
  #held: Buffer = EMPTY
  /** Secrets replaced so far. */
  count = 0

  constructor(needles: readonly Buffer[]) {
    this.#needles = needles
  }

  /** Takes the next bytes; returns those that may go on, which may be none. */
  push(chunk: Buffer): Buffer {
    if (this.#needles.length === 0) return chunk
    const data = this.#blank(this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]))
    const keep = this.#needles.reduce((most, needle) => Math.max(most, openPrefix(data, needle)), 0)
    this.#held = data.subarray(data.length - keep)
    return data.subarray(0, data.length - keep)
  }

  /** The bytes held back, at the end of the stream: they turned out not to be a secret. */
  flush(): Buffer {
    const rest = this.#held
    this.#held = EMPTY
    return rest
  }

  #blank(data: Buffer): Buffer {
    let result = data
    for (const needle of this.#needles) {
      for (let at = result.indexOf(needle); at >= 0; at = result.indexOf(needle, at + needle.length)) {
        // The chunk belongs to whoever sent it: change a copy.
        if (result === data) result = Buffer.from(data)
        result.fill(STAR, at, at + needle.length)
        this.count += 1
      }
    }
    return result
  }
}

/**
 * Redacts every value, and drops a header whose very name holds a secret (names are case-insensitive). Header text is
 * latin1 (RFC 9110 section 5.5 obs-text), a character for each byte, so needles are read in the same way.
 */
export function redactHeaders(
  headers: Headers,
  needles: readonly Buffer[],
): { headers: Headers; count: number } {
  if (needles.length === 0) return { headers, count: 0 }
  const secrets = needles.map((needle) => needle.toString('latin1'))
  const folded = secrets.map((secret) => secret.toLowerCase())
  const clean = Object.create(null) as Headers
  let count = 0
  const redact = (value: string) =>
    secrets.reduce((text, secret) => {
      if (!text.includes(secret)) return text
      const parts = text.split(secret)
      count += parts.length - 1
      return parts.join('*'.repeat(secret.length))
    }, value)
  for (const [name, value] of Object.entries(headers)) {
    if (folded.some((needle) => name.toLowerCase().includes(needle))) count += 1
    else clean[name] = Array.isArray(value) ? value.map(redact) : redact(value)
  }
  return { headers: clean, count }
}

/** How many bytes at the end of the data are a proper prefix of the needle. */
function openPrefix(data: Buffer, needle: Buffer): number {
  const first = needle[0] ?? 0
  const from = Math.max(data.length - needle.length + 1, 0)
  for (let at = data.indexOf(first, from); at >= 0; at = data.indexOf(first, at + 1)) {
    const length = data.length - at
    if (data.compare(needle, 0, length, at) === 0) return length
  }
  return 0
}
