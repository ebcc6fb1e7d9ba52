import type { ClientCertificate } from '#firewall/contracts/credential.js'

/** The options of Node's TLS for what an upstream is shown. */
export function shownCertificate(shown: ClientCertificate | null): { cert?: string; key?: string } {
  return shown === null ? {} : { cert: shown.certificate, key: shown.key.reveal() }
}
