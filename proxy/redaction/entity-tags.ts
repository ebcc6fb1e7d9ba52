import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto'
import type { Headers } from '#firewall/contracts/credential.js'

const PREFIX = 'egress-'
const IV_BYTES = 16

/** RFC 9110 section 8.8.3, without control characters. */
const TAG = /(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"/g
const SEALED = new RegExp(`"${PREFIX}([A-Za-z0-9_-]{22,})"`, 'g')

/**
 * Replaces the entity tags of responses by others, and those of requests by what they stand for: caches, resumed downloads and
 * optimistic writes work as they do without the gateway.
 *
 * Threat: a tag is often a digest of the body (Express, nginx, S3). With the body, of which only the secret is missing, guesses
 * at the secret are checked without asking anybody. What is shown is encrypted, and the same tag always in the same way.
 */
export class EntityTags {
  readonly #key: Buffer
  readonly #ivKey: Buffer

  /** @param key 32 bytes that nobody else knows */
  constructor(key: Buffer) {
    this.#key = createHmac('sha256', key).update('tag').digest()
    this.#ivKey = createHmac('sha256', key).update('iv').digest()
  }

  /** The value of an ETag header as the sandbox gets it; null for one that cannot be read. */
  seal(value: string): string | null {
    const text = value.trim()
    const [whole, weak = '', opaque = ''] = [...text.matchAll(TAG)][0] ?? []
    // Some services leave the quotes out.
    if (whole !== text) return /^[\x21\x23-\x7e]+$/.test(text) ? this.#sealed(text) : null
    return `${weak}${this.#sealed(opaque)}`
  }

  /** Conditions in a request: tags of ours become those of the upstream. */
  unseal(headers: Headers): void {
    for (const name in headers) {
      if (!/(^|-)if-/.test(name)) continue
      const value = headers[name] ?? ''
      headers[name] = Array.isArray(value) ? value.map((one) => this.#unsealed(one)) : this.#unsealed(value)
    }
  }

  #sealed(opaque: string): string {
    const bytes = Buffer.from(opaque, 'latin1')
    const iv = createHmac('sha256', this.#ivKey).update(bytes).digest().subarray(0, IV_BYTES)
    const cipher = createCipheriv('aes-256-ctr', this.#key, iv)
    const sealed = Buffer.concat([iv, cipher.update(bytes), cipher.final()])
    return `"${PREFIX}${sealed.toString('base64url')}"`
  }

  /** A tag that was sealed by another gateway decrypts to nothing that the upstream has, as any other old one. */
  #unsealed(value: string): string {
    return value.replace(SEALED, (whole, text: string) => {
      const sealed = Buffer.from(text, 'base64url')
      const decipher = createDecipheriv('aes-256-ctr', this.#key, sealed.subarray(0, IV_BYTES))
      const opaque = Buffer.concat([decipher.update(sealed.subarray(IV_BYTES)), decipher.final()])
      return this.#sealed(opaque.toString('latin1')) === whole ? `"${opaque.toString('latin1')}"` : whole
    })
  }
}
