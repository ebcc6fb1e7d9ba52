import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { CredentialKind } from '#firewall/contracts/credential.js'
import { Secret } from '#firewall/secrets/secret.js'
import { derived, field, secretPatternsOf } from './shared.js'

/**
 * A client certificate (RFC 8446 section 4.4.2). The request itself is left as it is. One secret may hold certificate and
 * key and be named for both: then they are rotated at once.
 */
export const mtls: CredentialKind = {
  name: 'mtls',
  summary: 'shows a client certificate on the TLS connection',
  fields: {
    certificate: {
      secret: false,
      multiline: true,
      describe: 'the certificate, PEM, with those between it and its authority after it',
    },
    key: { secret: true, multiline: true, describe: 'its private key, PEM, without a passphrase' },
  },
  shorthand: null,
  check: ({ certificate, key }) =>
    certificate === undefined || key === undefined ? null : pairError(certificate, key),
  bind(id, values) {
    const certificate = field(values, 'certificate')
    const key = field(values, 'key')
    // One copy of both, so that a key that is rotated a moment before its certificate is never shown with the old one.
    const pair = derived([certificate, key], () => ({
      error: pairError(certificate.reveal(), key.reveal()),
      shown: {
        certificate: blocksOf(certificate.reveal(), 'CERTIFICATE'),
        key: new Secret(key.name, privateKeyOf(key.reveal())),
      },
    }))
    return {
      kind: 'mtls',
      id,
      locations: {},
      inject() {
        const { error } = pair()
        return error === null ? null : { reason: 'credential-unavailable', detail: error }
      },
      secretPatterns: derived([key], () =>
        secretPatternsOf(...new Set(key.revealSensitive().flatMap((text) => [text, privateKeyOf(text)]))),
      ),
      get clientCertificate() {
        return pair().shown
      },
    }
  },
}

/** Threat: of a file that holds both, the key would stand where certificates are told. */
function blocksOf(pem: string, label: string): string {
  const block = new RegExp(`-----BEGIN (${label})-----[^-]*-----END \\1-----`, 'g')
  return [...pem.matchAll(block)].map(([text]) => `${text}\n`).join('')
}

function privateKeyOf(pem: string): string {
  return blocksOf(pem, '(?:RSA |EC )?PRIVATE KEY')
}

/** What keeps a certificate and a key from being used together; null for nothing. */
function pairError(certificate: string, key: string): string | null {
  try {
    return new X509Certificate(blocksOf(certificate, 'CERTIFICATE')).checkPrivateKey(
      createPrivateKey(privateKeyOf(key)),
    )
      ? null
      : 'the certificate does not belong to the key'
  } catch {
    return 'the certificate or the key is not PEM that can be read (a key must have no passphrase)'
  }
}
