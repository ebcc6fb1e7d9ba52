import { randomBytes } from 'node:crypto'
import type { PlaceholderFormat } from '#firewall/contracts/service.js'

const ALPHABETS: Readonly<Record<PlaceholderFormat['alphabet'], string>> = {
  alphanumeric: 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789',
  'upper-alphanumeric': 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567',
  hex: '0123456789abcdef',
}

/** Of HMAC with SHA-256 (RFC 7518, section 3.2); clients do not look at it. */
const SIGNATURE_BYTES = 32

/** So many bytes that nobody can guess. */
export type BytesSource = (size: number) => Buffer

/** A random value in this format, different in every sandbox and valid nowhere. */
export function makePlaceholder(
  { prefix, length, alphabet, structure }: PlaceholderFormat,
  random: BytesSource = randomBytes,
): string {
  if (structure?.kind === 'uuid') return uuidOf(random(16))
  if (structure?.kind === 'jwt')
    return [
      ...[structure.header, structure.claims].map((part) => Buffer.from(JSON.stringify(part))),
      random(SIGNATURE_BYTES),
    ]
      .map((part) => part.toString('base64url'))
      .join('.')
  const letters = ALPHABETS[alphabet]
  const count = Math.max(length - prefix.length, 0)
  return prefix + Array.from(random(count), (byte) => letters[byte % letters.length] ?? '').join('')
}

/** Version 4 (RFC 9562). */
function uuidOf(bytes: Buffer): string {
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
