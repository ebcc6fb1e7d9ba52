import type { Diagnostic } from '#firewall/names/host-pattern.js'

/** Where a connection stays on this machine. */
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/

/** The URL of a secret store. Faults do not repeat it: it may have a password in it. */
export function readStoreUrl(text: string): URL | Diagnostic {
  const fix = 'write scheme, host and optional port: `https://vault.example.com:8200`'
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || !['https:', 'http:'].includes(url.protocol)) return { problem: 'this is no URL', fix }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    return { problem: 'the URL has more than scheme, host, port and path', fix }
  }
  // Threat: whoever is on the way reads the token, and every secret that it opens.
  if (url.protocol === 'http:' && !LOOPBACK.test(url.hostname)) {
    return {
      problem: 'the secret would travel unencrypted',
      fix: 'use https://; http:// is for this machine only',
    }
  }
  return url
}
