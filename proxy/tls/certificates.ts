import { createHash, randomBytes, sign, type KeyObject } from 'node:crypto'
import { bitString, childrenOf, contentOf, integer, octetString, oid, sequence, set } from './der.js'
import { tagged, time, utf8, yes } from './der.js'

// Certificates of RFC 5280, made without a package for ASN.1: loading one takes longer than building a sandbox.

const ECDSA_WITH_SHA256 = sequence(oid('1.2.840.10045.4.3.2'))
const COMMON_NAME = oid('2.5.4.3')
const VERSION_3 = tagged(0, integer(Buffer.of(2)), true)
const SERVER_AUTHENTICATION = oid('1.3.6.1.5.5.7.3.1')
const CRITICAL = true
/** `[3]`, of the part of a certificate that holds them. */
const EXTENSIONS_TAG = 0xa3

const EXTENSIONS = {
  subjectKeyIdentifier: oid('2.5.29.14'),
  keyUsage: oid('2.5.29.15'),
  subjectAlternativeName: oid('2.5.29.17'),
  basicConstraints: oid('2.5.29.19'),
  authorityKeyIdentifier: oid('2.5.29.35'),
  extendedKeyUsage: oid('2.5.29.37'),
}

/** Bits of the key usage extension, the first one highest, and the number of unused ones behind them. */
const SIGN_CERTIFICATES_AND_CRLS = bitString(Buffer.of(0b0000_0110), 1)
const DIGITAL_SIGNATURE = bitString(Buffer.of(0b1000_0000), 7)

/** What a certificate says of whoever signs others with its key. */
export interface Issuer {
  /** its name, in DER */
  readonly subject: Buffer
  /** identifies its public key */
  readonly keyIdentifier: Buffer
  readonly privateKey: KeyObject
}

/** Milliseconds since 1970. */
export interface Validity {
  readonly notBefore: number
  readonly notAfter: number
}

/** A certificate authority that signs itself, and leaves but no further authorities; in DER. P-256 keys. */
export function makeAuthority(
  commonName: string,
  { publicKey, privateKey }: { publicKey: KeyObject; privateKey: KeyObject },
  validity: Validity,
): Buffer {
  const subject = nameOf(commonName)
  const keyIdentifier = keyIdentifierOf(publicKey)
  return makeCertificate({ subject, keyIdentifier, privateKey }, subject, publicKey, validity, [
    extension('basicConstraints', sequence(yes, integer(Buffer.of(0))), CRITICAL),
    extension('keyUsage', SIGN_CERTIFICATES_AND_CRLS, CRITICAL),
    extension('subjectKeyIdentifier', octetString(keyIdentifier)),
  ])
}

/** A certificate of a TLS server, in DER. P-256 keys. */
export function makeLeaf(issuer: Issuer, host: string, publicKey: KeyObject, validity: Validity): Buffer {
  // A common name has at most 64 characters (RFC 5280 appendix A.1); clients use the SAN.
  const commonName = host.length <= 64 ? host : 'agent-egress-firewall leaf'
  return makeCertificate(issuer, nameOf(commonName), publicKey, validity, [
    extension('basicConstraints', sequence(), CRITICAL),
    extension('keyUsage', DIGITAL_SIGNATURE, CRITICAL),
    extension('extendedKeyUsage', sequence(SERVER_AUTHENTICATION)),
    extension('subjectAlternativeName', sequence(tagged(2, Buffer.from(host), false))),
    extension('authorityKeyIdentifier', sequence(tagged(0, issuer.keyIdentifier, false))),
    extension('subjectKeyIdentifier', octetString(keyIdentifierOf(publicKey))),
  ])
}

/** What issues leaves with a stored certificate, in DER. */
export function issuerOf(certificate: Buffer, privateKey: KeyObject): Issuer {
  const [toBeSigned = certificate] = childrenOf(certificate)
  // version, serial number, algorithm, issuer, validity, subject, public key
  const [, , , , , subject, publicKey, ...more] = childrenOf(toBeSigned)
  if (subject === undefined || publicKey === undefined) throw new Error('not a certificate of version 3')
  return { subject, keyIdentifier: statedIdentifier(more) ?? hashOfKey(publicKey), privateKey }
}

/** The identifier that a certificate gives its own key: those who make authorities derive it in different ways (RFC 7093). */
function statedIdentifier(parts: readonly Buffer[]): Buffer | null {
  for (const extensions of parts.filter((part) => part[0] === EXTENSIONS_TAG).flatMap(childrenOf))
    for (const one of childrenOf(extensions)) {
      const [name, ...rest] = childrenOf(one)
      const value = rest.at(-1)
      if (value !== undefined && name?.equals(EXTENSIONS.subjectKeyIdentifier) === true)
        return contentOf(contentOf(value))
    }
  return null
}

function makeCertificate(
  issuer: Issuer,
  subject: Buffer,
  publicKey: KeyObject,
  { notBefore, notAfter }: Validity,
  extensions: readonly Buffer[],
): Buffer {
  const toBeSigned = sequence(
    VERSION_3,
    integer(serialNumber()),
    ECDSA_WITH_SHA256,
    issuer.subject,
    sequence(time(notBefore), time(notAfter)),
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(3, sequence(...extensions), true),
  )
  return sequence(
    toBeSigned,
    ECDSA_WITH_SHA256,
    bitString(sign('sha256', toBeSigned, { key: issuer.privateKey, dsaEncoding: 'der' })),
  )
}

function nameOf(commonName: string): Buffer {
  return sequence(set(sequence(COMMON_NAME, utf8(commonName))))
}

function extension(name: keyof typeof EXTENSIONS, value: Buffer, critical = false): Buffer {
  return sequence(EXTENSIONS[name], ...(critical ? [yes] : []), octetString(value))
}

function keyIdentifierOf(publicKey: KeyObject): Buffer {
  return hashOfKey(publicKey.export({ type: 'spki', format: 'der' }))
}

/** RFC 5280 section 4.2.1.2, method 1: SHA-1 of the key's bits. */
function hashOfKey(subjectPublicKeyInfo: Buffer): Buffer {
  const [, bits = subjectPublicKeyInfo] = childrenOf(subjectPublicKeyInfo)
  return createHash('sha1').update(contentOf(bits).subarray(1)).digest()
}

/** 127 random bits, positive (RFC 5280 section 4.1.2.2). */
function serialNumber(): Buffer {
  const bytes = randomBytes(16)
  bytes.writeUInt8((bytes.readUInt8(0) & 0x7f) | 0x40, 0)
  return bytes
}
