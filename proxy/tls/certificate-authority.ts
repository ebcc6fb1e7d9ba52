import { createPrivateKey, generateKeyPair, X509Certificate, type KeyObject } from 'node:crypto'
import { createSecureContext, type SecureContext } from 'node:tls'
import { promisify } from 'node:util'
import { issuerOf, makeAuthority, makeLeaf, type Issuer } from './certificates.js'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** Tolerance for clock differences between sandbox and gateway, in milliseconds. */
const BACKDATE_MS = HOUR_MS
const CA_LIFE_MS = 365 * DAY_MS
/** Longer than any run, and below the 398 days that some clients enforce. */
const LEAF_LIFE_MS = 30 * DAY_MS

/** Maximum cached leaf certificates of one sandbox. */
const MAX_LEAVES = 256

interface KeyPair {
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
}

interface Leaf {
  readonly context: Promise<SecureContext>
  readonly expires: number
}

/**
 * The gateway's certificate authority. Its key is generated here and never leaves this object; the sandbox gets only the
 * certificate.
 */
export class CertificateAuthority {
  readonly #pem: string
  readonly #issuer: Issuer
  readonly #leafKeys: KeyPair
  readonly #leafKeyPem: string
  readonly #maxLeaves: number
  /**
   * By sandbox and host; the least recently used first. Threat: with a common cache, the time of a handshake tells a sandbox
   * which hosts another one uses.
   */
  readonly #leaves = new Map<string, Map<string, Leaf>>()

  private constructor(certificate: Buffer, privateKey: KeyObject, leafKeys: KeyPair, maxLeaves: number) {
    this.#pem = `${toPem(certificate)}\n`
    this.#issuer = issuerOf(certificate, privateKey)
    this.#leafKeys = leafKeys
    this.#leafKeyPem = keyPem(leafKeys.privateKey)
    this.#maxLeaves = maxLeaves
  }

  /** A new CA, valid from now on (milliseconds since 1970). */
  static async create(now: number, maxLeaves = MAX_LEAVES): Promise<CertificateAuthority> {
    const [keys, leafKeys] = await Promise.all([makeKeys(), makeKeys()])
    return new CertificateAuthority(selfSign(keys, now), keys.privateKey, leafKeys, maxLeaves)
  }

  /** A new CA whose key can be stored, together with that key as PKCS #8 PEM. */
  static async createToKeep(now: number): Promise<{ ca: CertificateAuthority; key: string }> {
    const [keys, leafKeys] = await Promise.all([makeKeys(), makeKeys()])
    const ca = new CertificateAuthority(selfSign(keys, now), keys.privateKey, leafKeys, MAX_LEAVES)
    return { ca, key: keyPem(keys.privateKey) }
  }

  /** The stored CA; null if it is missing, unreadable, of another kind of key, or expires before a leaf issued today. */
  static async restore(
    certificatePem: string | null,
    key: string | null,
    now: number,
  ): Promise<CertificateAuthority | null> {
    if (certificatePem === null || key === null) return null
    try {
      const certificate = new X509Certificate(certificatePem)
      if (Date.parse(certificate.validTo) < now + LEAF_LIFE_MS) return null
      const privateKey = createPrivateKey(key)
      // Leaves are signed with ECDSA.
      return privateKey.asymmetricKeyType === 'ec' && certificate.checkPrivateKey(privateKey)
        ? new CertificateAuthority(certificate.raw, privateKey, await makeKeys(), MAX_LEAVES)
        : null
    } catch {
      return null
    }
  }

  /** The public certificate, as PEM. */
  get pem(): string {
    return this.#pem
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
    // Not while the connection that needs it is being handled.
    await Promise.resolve()
    const leaf = makeLeaf(this.#issuer, host, this.#leafKeys.publicKey, {
      notBefore: now - BACKDATE_MS,
      notAfter: now + LEAF_LIFE_MS,
    })
    return createSecureContext({ key: this.#leafKeyPem, cert: toPem(leaf), minVersion: 'TLSv1.2' })
  }
}

function makeKeys(): Promise<KeyPair> {
  return promisify(generateKeyPair)('ec', { namedCurve: 'P-256' })
}

/** Valid from now on, in milliseconds since 1970. */
function selfSign(keys: KeyPair, now: number): Buffer {
  const validity = { notBefore: now - BACKDATE_MS, notAfter: now + CA_LIFE_MS }
  return makeAuthority('agent-egress-firewall CA', keys, validity)
}

function toPem(certificate: Buffer): string {
  return `-----BEGIN CERTIFICATE-----\n${certificate.toString('base64').replace(/.{64}(?!$)/g, '$&\n')}\n-----END CERTIFICATE-----`
}

/** PKCS #8. */
function keyPem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }) as string
}
