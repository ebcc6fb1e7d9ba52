import { existsSync, readFileSync } from 'node:fs'
import { rootCertificates } from 'node:tls'

/** The host's bundle in PEM, which also has a company's own CAs; if there is none, the one built into Node. */
export function publicCas(bundles: readonly string[]): string {
  const path = bundles.find((candidate) => existsSync(candidate))
  return path === undefined ? rootCertificates.join('\n') : readFileSync(path, 'utf8')
}

/** The certificates of a PEM text in DER, each once. */
export function certificatesIn(pem: string): Buffer[] {
  const found = [...pem.matchAll(/-----BEGIN (?:TRUSTED )?CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END/g)].map(
    ([, body = '']) => body.replace(/\s/g, ''),
  )
  return [...new Set(found)].map((body) => Buffer.from(body, 'base64'))
}
