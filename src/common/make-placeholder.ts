import { randomBytes, randomUUID } from 'node:crypto'
import type { PlaceholderFormat } from '#firewall/contracts/service.js'

const ALPHABETS: Readonly<Record<PlaceholderFormat['alphabet'], string>> = {
  alphanumeric: 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789',
  'upper-alphanumeric': 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567',
  hex: '0123456789abcdef',
}

/** Of HMAC with SHA-256 (RFC 7518, section 3.2); clients do not look at it. */
const SIGNATURE_BYTES = 32

/** A random value in this format, different in every sandbox and valid nowhere. */
export function makePlaceholder({ prefix, length, alphabet, structure }: PlaceholderFormat): string {
  if (structure?.kind === 'uuid') return randomUUID()
  if (structure?.kind === 'jwt')
    return [
      ...[structure.header, structure.claims].map((part) => Buffer.from(JSON.stringify(part))),
      randomBytes(SIGNATURE_BYTES),
    ]
      .map((part) => part.toString('base64url'))
      .join('.')
  const letters = ALPHABETS[alphabet]
  const count = Math.max(length - prefix.length, 0)
  return prefix + Array.from(randomBytes(count), (byte) => letters[byte % letters.length] ?? '').join('')
}
