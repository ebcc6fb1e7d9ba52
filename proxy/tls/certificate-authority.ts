// @peculiar/x509 uses decorators, which need this import first.
import 'reflect-metadata'
import { createPrivateKey, webcrypto, X509Certificate as NodeCertificate } from 'node:crypto'
import { createSecureContext, type SecureContext } from 'node:tls'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  cryptoProvider,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' } as const
const SIGNING = { name: 'ECDSA', hash: 'SHA-256' } as const
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** Tolerance for clock differences between sandbox and gateway, in milliseconds. */
const BACKDATE_MS = HOUR_MS
const CA_LIFE_MS = 365 * DAY_MS
/** Longer than any run, and below the 398 days that some clients enforce. */
const LEAF_LIFE_MS = 30 * DAY_MS

/** Maximum cached leaf certificates of one sandbox. */
const MAX_LEAVES = 256

interface Leaf {
  readonly context: Promise<SecureContext>
  readonly expires: number
}

/**
 * The gateway's certificate authority. Its key is generated here and never leaves this object; the sandbox gets only the
 * certificate.
 */
export class CertificateAuthority {
  readonly #certificate: X509Certificate
  readonly #caKey: webcrypto.CryptoKey
  readonly #leafKeys: webcrypto.CryptoKeyPair
  readonly #leafKeyPem: string
  readonly #maxLeaves: number
  /**
   * By sandbox and host; the least recently used first. Threat: with a common cache, the time of a handshake tells a sandbox
   * which hosts another one uses.
   */
  readonly #leaves = new Map<string, Map<string, Leaf>>()

  private constructor(
    certificate: X509Certificate,
    caKey: webcrypto.CryptoKey,
    leafKeys: webcrypto.CryptoKeyPair,
    leafKeyPem: string,
    maxLeaves: number,
  ) {
    this.#maxLeaves = maxLeaves
    this.#certificate = certificate
    this.#caKey = caKey
    this.#leafKeys = leafKeys
    this.#leafKeyPem = leafKeyPem
  }

  /** A new CA, valid from now on (milliseconds since 1970). */
  static async create(now: number, maxLeaves = MAX_LEAVES): Promise<CertificateAuthority> {
    cryptoProvider.set(webcrypto)
    const caKeys = await webcrypto.subtle.generateKey(ALGORITHM, false, ['sign', 'verify'])
    return CertificateAuthority.#make(await selfSign(caKeys, now), caKeys.privateKey, maxLeaves)
  }

  /** A new CA whose key can be stored, together with that key as PKCS #8 PEM. */
  static async createToKeep(now: number): Promise<{ ca: CertificateAuthority; key: string }> {
    cryptoProvider.set(webcrypto)
    const caKeys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
    const ca = await CertificateAuthority.#make(await selfSign(caKeys, now), caKeys.privateKey, MAX_LEAVES)
    return { ca, key: await keyPem(caKeys.privateKey) }
  }

  /** The stored CA; null if it is missing, unreadable, or expires before a leaf issued today. */
  static async restore(
    certificatePem: string | null,
    key: string | null,
    now: number,
  ): Promise<CertificateAuthority | null> {
    if (certificatePem === null || key === null) return null
    cryptoProvider.set(webcrypto)
    try {
      const certificate = new X509Certificate(certificatePem)
      if (certificate.notAfter.getTime() < now + LEAF_LIFE_MS) return null
      const pkcs8 = Buffer.from(key.replace(/-----[^-]+-----|\s/g, ''), 'base64')
      const caKey = await webcrypto.subtle.importKey('pkcs8', pkcs8, ALGORITHM, false, ['sign'])
      const fits = createPrivateKey(key)
      return new NodeCertificate(certificatePem).checkPrivateKey(fits)
        ? await CertificateAuthority.#make(certificate, caKey, MAX_LEAVES)
        : null
    } catch {
      return null
    }
  }

  static async #make(
    certificate: X509Certificate,
    caKey: webcrypto.CryptoKey,
    maxLeaves: number,
  ): Promise<CertificateAuthority> {
    const leafKeys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
    const leafKeyPem = await keyPem(leafKeys.privateKey)
    return new CertificateAuthority(certificate, caKey, leafKeys, leafKeyPem, maxLeaves)
  }

  /** The public certificate, as PEM. */
  get pem(): string {
    return `${this.#certificate.toString('pem')}\n`
  }

  /** Whether a sandbox has a certificate for this host, so that `contextFor` makes no new one. */
  knows(sandbox: string, host: string, now: number): boolean {
    const leaf = this.#leaves.get(sandbox)?.get(host)
    return leaf !== undefined && now < leaf.expires
  }

  /** A TLS server context for an allowed host (in the form that `parseHostname` returns). */
  contextFor(sandbox: string, host: string, now: number): Promise<SecureContext> {
    const leaves = this.#leaves.get(sandbox) ?? new Map<string, Leaf>()
    this.#leaves.set(sandbox, leaves)
    const known = leaves.get(host)
    const leaf =
      known !== undefined && now < known.expires
        ? known
        : { context: this.#mint(host, now), expires: now + LEAF_LIFE_MS - DAY_MS }
    leaves.delete(host)
    leaves.set(host, leaf)
    const [oldest] = leaves.keys()
    if (leaves.size > this.#maxLeaves && oldest !== undefined) leaves.delete(oldest)
    return leaf.context
  }

  /** Forgets the certificates of every sandbox that is not active. */
  prune(isActive: (sandbox: string) => boolean): void {
    for (const sandbox of this.#leaves.keys()) if (!isActive(sandbox)) this.#leaves.delete(sandbox)
  }

  async #mint(host: string, now: number): Promise<SecureContext> {
    const leaf = await X509CertificateGenerator.create(
      {
        serialNumber: serialNumber(),
        // A common name has at most 64 characters (RFC 5280 appendix A.1); clients use the SAN.
        subject: host.length <= 64 ? `CN=${host}` : 'CN=agent-egress-firewall leaf',
        issuer: this.#certificate.subject,
        notBefore: new Date(now - BACKDATE_MS),
        notAfter: new Date(now + LEAF_LIFE_MS),
        publicKey: this.#leafKeys.publicKey,
        signingKey: this.#caKey,
        signingAlgorithm: SIGNING,
        extensions: [
          new BasicConstraintsExtension(false, undefined, true),
          new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
          new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
          new SubjectAlternativeNameExtension([{ type: 'dns', value: host }]),
          await AuthorityKeyIdentifierExtension.create(this.#certificate.publicKey),
          await SubjectKeyIdentifierExtension.create(this.#leafKeys.publicKey),
        ],
      },
      webcrypto,
    )
    return createSecureContext({ key: this.#leafKeyPem, cert: leaf.toString('pem'), minVersion: 'TLSv1.2' })
  }
}

/** Valid from now on, in milliseconds since 1970. */
async function selfSign(keys: webcrypto.CryptoKeyPair, now: number): Promise<X509Certificate> {
  const name = 'CN=agent-egress-firewall CA'
  return X509CertificateGenerator.create(
    {
      serialNumber: serialNumber(),
      subject: name,
      issuer: name,
      notBefore: new Date(now - BACKDATE_MS),
      notAfter: new Date(now + CA_LIFE_MS),
      publicKey: keys.publicKey,
      signingKey: keys.privateKey,
      signingAlgorithm: SIGNING,
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        await SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    },
    webcrypto,
  )
}

/** PKCS #8. */
async function keyPem(key: webcrypto.CryptoKey): Promise<string> {
  const base64 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key)).toString('base64')
  return `-----BEGIN PRIVATE KEY-----\n${base64}\n-----END PRIVATE KEY-----\n`
}

/** 127 random bits, positive (RFC 5280 section 4.1.2.2). */
function serialNumber(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16))
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40
  return Buffer.from(bytes).toString('hex')
}
