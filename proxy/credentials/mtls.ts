import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { CredentialKind } from '#firewall/contracts/credential.js'
import { Secret } from '#firewall/secrets/secret.js'
import { derived, field, secretPatternsOf } from './shared.js'

/**
 * A client certificate (RFC 8446 section 4.4.2). The request itself does not change. One secret may contain both the
 * certificate and the key and be used for both fields: then they are rotated together.
 */
export const mtls: CredentialKind = {
  name: 'mtls',
  summary: 'sends a client certificate on the TLS connection',
  fields: {
    certificate: {
      secret: false,
      multiline: true,
      describe: 'the certificate in PEM, followed by any intermediate certificates',
    },
    key: { secret: true, multiline: true, describe: 'its private key in PEM, without a passphrase' },
  },
  shorthand: null,
  check: ({ certificate, key }) =>
    certificate === undefined || key === undefined ? null : pairError(certificate, key),
  bind(id, values) {
    const certificate = field(values, 'certificate')
    const key = field(values, 'key')
    // One copy of both, so that a key is never used with the old certificate while the two are rotated one after the other.
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

/** Threat: a file that contains both would put the key where certificates are logged. */
function blocksOf(pem: string, label: string): string {
  const block = new RegExp(`-----BEGIN (${label})-----[^-]*-----END \\1-----`, 'g')
  return [...pem.matchAll(block)].map(([text]) => `${text}\n`).join('')
}

function privateKeyOf(pem: string): string {
  return blocksOf(pem, '(?:RSA |EC )?PRIVATE KEY')
}

/** Why the certificate and the key cannot be used together; null if they can. */
function pairError(certificate: string, key: string): string | null {
  try {
    return new X509Certificate(blocksOf(certificate, 'CERTIFICATE')).checkPrivateKey(
      createPrivateKey(privateKeyOf(key)),
    )
      ? null
      : 'The certificate does not match the key'
  } catch {
    return 'The certificate or the key is not valid PEM (the key must not have a passphrase)'
  }
}
