import type { ClientCertificate } from '#firewall/contracts/credential.js'

/** Node's TLS options for the client certificate that an upstream sees. */
export function shownCertificate(shown: ClientCertificate | null): { cert?: string; key?: string } {
  return shown === null ? {} : { cert: shown.certificate, key: shown.key.reveal() }
}
