import { createPrivateKey, sign, type KeyObject } from 'node:crypto'

/** RFC 7518 section 3.3: a key of at least 2048 bits. */
const MIN_BITS = 2048

/** Parses an RSA private key in PEM (PKCS #1 or PKCS #8, without a passphrase); null for anything else. */
export function readRsaKey(pem: string): KeyObject | null {
  try {
    const key = createPrivateKey(pem)
    const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
    return key.asymmetricKeyType === 'rsa' && bits >= MIN_BITS ? key : null
  } catch {
    return null
  }
}

/** A signed JWT (RFC 7519, RFC 7515 section 3.1) with RS256. */
export function signJwt(
  claims: Readonly<Record<string, string | number>>,
  key: KeyObject,
  keyId: string | null = null,
): string {
  const header = { alg: 'RS256', typ: 'JWT', ...(keyId === null ? {} : { kid: keyId }) }
  const input = [header, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  return `${input}.${sign('RSA-SHA256', Buffer.from(input), key).toString('base64url')}`
}
