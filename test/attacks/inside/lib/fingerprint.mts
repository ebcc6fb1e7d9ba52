import { createHash } from 'node:crypto'
import type { Fingerprint } from '../../brief.js'

/** Bytes of a secret that a fingerprint covers: 20 random characters are about 119 bits, so nothing can be guessed. */
export const WINDOW = 20

const BASE = 0x01000193

/** Fingerprints the last `WINDOW` bytes of a text, because the first may be a common prefix. */
export function fingerprint(name: string, text: string, salt: string): Fingerprint {
  const window = Buffer.from(text).subarray(-WINDOW)
  if (window.length < WINDOW) throw new Error(`${name} is too short for a fingerprint`)
  let rolling = 0
  for (const byte of window) rolling = (Math.imul(rolling, BASE) + byte) >>> 0
  return { name, rolling, digest: digest(window, salt) }
}

/** A search for fingerprints in bytes (Rabin and Karp 1987): it checks every position, whatever surrounds it. */
export class Scanner {
  readonly #byRolling = new Map<number, Fingerprint[]>()
  readonly #filter = new Uint8Array(65_536)
  readonly #salt: string
  readonly #leading: number
  /** Bytes that were searched. */
  searched = 0

  constructor(fingerprints: readonly Fingerprint[], salt: string) {
    this.#salt = salt
    let leading = 1
    for (let index = 1; index < WINDOW; index += 1) leading = Math.imul(leading, BASE)
    this.#leading = leading >>> 0
    for (const one of fingerprints) {
      this.#byRolling.set(one.rolling, [...(this.#byRolling.get(one.rolling) ?? []), one])
      this.#filter[one.rolling & 0xffff] = 1
    }
  }

  /** Names of the fingerprints that occur in the bytes. */
  scan(bytes: Uint8Array): string[] {
    this.searched += bytes.length
    const found = new Set<string>()
    const filter = this.#filter
    const leading = this.#leading
    let rolling = 0
    for (let index = 0; index < bytes.length; index += 1) {
      if (index >= WINDOW) rolling = (rolling - Math.imul(leading, bytes[index - WINDOW] ?? 0)) | 0
      rolling = (Math.imul(rolling, BASE) + (bytes[index] ?? 0)) | 0
      if (filter[rolling & 0xffff] === 1 && index >= WINDOW - 1) {
        for (const name of this.#confirm(bytes, index + 1, rolling >>> 0)) found.add(name)
      }
    }
    return [...found]
  }

  #confirm(bytes: Uint8Array, end: number, rolling: number): string[] {
    const candidates = this.#byRolling.get(rolling)
    if (candidates === undefined) return []
    const seen = digest(bytes.subarray(end - WINDOW, end), this.#salt)
    return candidates.filter((one) => one.digest === seen).map((one) => one.name)
  }
}

function digest(window: Uint8Array, salt: string): string {
  return createHash('sha256').update(salt).update(window).digest('hex')
}
