import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls'
import type { ClientCertificate } from '#firewall/contracts/credential.js'
import { shownCertificate } from '../credentials/client-certificate.js'

/** Contexts that are kept: one for each `ca` and client certificate of a policy, and some that were rotated away. */
const MAX_CONTEXTS = 64

/**
 * Whose certificates of upstreams are trusted. To read a whole bundle takes milliseconds and a megabyte, so each is read once
 * for all connections.
 */
export class Authorities {
  readonly #host: string | null
  readonly #contexts = new Map<string, SecureContext>()

  /** @param host PEM of the authorities that the host trusts beyond those of Node; null for none */
  constructor(host: string | null) {
    this.#host = host
  }

  isMadeFrom(host: string | null): boolean {
    return this.#host === host
  }

  /**
   * @param ca PEM of the only authorities to trust; null for the public ones and those of the host
   * @returns undefined for what Node has by itself
   */
  contextFor(ca: string | null, shown: ClientCertificate | null): SecureContext | undefined {
    if (ca === null && shown === null && this.#host === null) return undefined
    const key = `${ca ?? ''}\n${shown === null ? '' : `${shown.certificate}\n${String(shown.key.version)}`}`
    const known = this.#contexts.get(key) ?? this.#make(ca, shown)
    this.#contexts.delete(key)
    this.#contexts.set(key, known)
    const [oldest] = this.#contexts.keys()
    if (this.#contexts.size > MAX_CONTEXTS && oldest !== undefined) this.#contexts.delete(oldest)
    return known
  }

  #make(ca: string | null, shown: ClientCertificate | null): SecureContext {
    const trusted = ca ?? (this.#host === null ? undefined : [...rootCertificates, this.#host])
    return createSecureContext({
      ...(trusted === undefined ? {} : { ca: trusted }),
      ...shownCertificate(shown),
    })
  }
}
