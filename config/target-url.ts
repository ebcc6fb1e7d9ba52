import { isIP } from 'node:net'
import { parseAuthority } from '#firewall/names/hostname.js'
import type { Diagnostic } from '#firewall/names/host-pattern.js'
import type { ServiceTarget } from '#firewall/contracts/policy.js'
import { parseRequestTarget } from '#firewall/rules/request-path.js'
import { quote } from './redact-message.js'

const FORM = 'write scheme, host, optional port and path: `https://api.example.com/v1`'

/**
 * Reads the URL of a service. It is taken apart by hand: `URL` would repair what it finds (dot segments, backslashes,
 * `127.1`), and what is checked must be what was written. A part that may hold a secret is named, not repeated.
 */
export function parseTargetUrl(text: string): ServiceTarget | Diagnostic {
  const match = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?$/is.exec(text)
  if (match === null) {
    return { problem: /[@?#]/.test(text) ? 'this is not a URL' : `${quote(text)} is not a URL`, fix: FORM }
  }
  const [, scheme = '', authority = '', path = '', query, fragment] = match
  const url = quote(`${scheme}://${authority.replace(/^.*@/s, '…@')}${path}`)
  if (scheme !== 'https' && scheme !== 'http') {
    return { problem: `${url} has the scheme ${quote(scheme)}`, fix: FORM }
  }
  if (authority.includes('@')) {
    return {
      problem: `${url} has a user name or password in it`,
      fix: 'remove all up to the `@`, and bind a `credential` to the service instead',
    }
  }
  if (query !== undefined || fragment !== undefined) {
    const part = query === undefined ? 'fragment' : 'query'
    return {
      problem: `${url} has a ${part}`,
      fix: `remove the ${query === undefined ? '`#…`' : '`?…`'}; ${FORM}`,
    }
  }
  if (isAddress(authority)) {
    return {
      problem: `${url} has an address instead of a host name`,
      fix: 'write a name, and give its address under `upstream: hosts:`',
    }
  }
  const parsed = parseAuthority(authority)
  if (parsed === null)
    return { problem: `${quote(authority)} is not a host name with an optional port`, fix: FORM }
  const basePath = path.replace(/\/$/, '')
  const diagnostic = basePathError(basePath)
  if (diagnostic !== null) return diagnostic
  return {
    origin: { scheme, host: parsed.host, port: parsed.port ?? (scheme === 'https' ? 443 : 80) },
    basePath,
  }
}

function isAddress(authority: string): boolean {
  const host = authority.replace(/:\d*$/, '')
  return (
    authority.startsWith('[') || isIP(host) !== 0 || /^(0x[\da-f]+|\d+)(\.(0x[\da-f]+|\d+))*$/i.test(host)
  )
}

function basePathError(basePath: string): Diagnostic | null {
  if (basePath === '') return null
  const canonical = parseRequestTarget(basePath)
  const plain =
    typeof canonical !== 'string' && canonical.path === basePath && canonical.readings.length === 1
  if (plain && !basePath.includes('*')) return null
  return {
    problem: `the path ${quote(basePath)} of the URL is not in its plain form`,
    fix: 'write it without `*`, `//`, dot segments, backslashes and escapes',
  }
}
