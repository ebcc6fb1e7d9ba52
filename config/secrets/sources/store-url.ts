import type { Diagnostic } from '#firewall/contracts/diagnostic.js'

/** Hosts on this machine. */
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/

/** The URL of a secret store. Errors never quote it: it may contain a password. */
export function readStoreUrl(text: string): URL | Diagnostic {
  const fix = 'Write scheme, host and optional port: `https://vault.example.com:8200`'
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || !['https:', 'http:'].includes(url.protocol)) return { problem: 'Invalid URL', fix }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    return { problem: 'The URL contains more than scheme, host, port and path', fix }
  }
  // Threat: anyone on the network path could read the token, and with it every secret.
  if (url.protocol === 'http:' && !LOOPBACK.test(url.hostname)) {
    return {
      problem: 'The secret would be sent unencrypted',
      fix: 'Use https://; http:// is allowed only on this machine',
    }
  }
  return url
}
