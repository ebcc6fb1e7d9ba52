import { defaultPort } from '#firewall/names/default-port.js'
import { isIP } from '#firewall/addresses/ip-version.js'
import { parseAuthority } from '#firewall/names/hostname.js'
import type { Diagnostic } from '#firewall/contracts/diagnostic.js'
import type { ServiceTarget } from '#firewall/contracts/service.js'
import { parseRequestTarget } from '#firewall/rules/request-path.js'
import { quote } from '../issues/quote.js'

const FORM = 'Write scheme, host, optional port and path: `https://api.example.com/v1`'

/**
 * Reads the URL of a service. It is parsed by hand: `URL` would normalise dot segments, backslashes and `127.1`, and the
 * text that is checked must be the text that was written. Parts that may contain a secret are never quoted.
 */
export function parseTargetUrl(text: string): ServiceTarget | Diagnostic {
  const match = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?$/is.exec(text)
  if (match === null) {
    return { problem: /[@?#]/.test(text) ? 'Invalid URL' : `Invalid URL ${quote(text)}`, fix: FORM }
  }
  const [, scheme = '', authority = '', path = '', query, fragment] = match
  const url = quote(`${scheme}://${authority.replace(/^.*@/s, '…@')}${path}`)
  if (scheme !== 'https' && scheme !== 'http') {
    return { problem: `Unknown scheme ${quote(scheme)} in ${url}`, fix: FORM }
  }
  if (authority.includes('@')) {
    return {
      problem: `${url} contains a user name or password`,
      fix: 'Remove everything up to the `@`, and add a `credential` to the service instead',
    }
  }
  if (query !== undefined || fragment !== undefined) {
    const part = query === undefined ? 'fragment' : 'query'
    return {
      problem: `${url} contains a ${part}`,
      fix: `Remove the ${query === undefined ? '`#…`' : '`?…`'}`,
    }
  }
  if (isAddress(authority)) {
    return {
      problem: `${url} contains an IP address instead of a host name`,
      fix: 'Write a host name, and set its address in `upstream.hosts`',
    }
  }
  const parsed = parseAuthority(authority)
  if (parsed === null)
    return {
      problem: `Invalid host ${quote(authority)}: expected a host name with an optional port`,
      fix: FORM,
    }
  const basePath = path.replace(/\/$/, '')
  const diagnostic = basePathError(basePath)
  if (diagnostic !== null) return diagnostic
  return {
    origin: { scheme, host: parsed.host, port: parsed.port ?? defaultPort(scheme) },
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
    problem: `The URL path ${quote(basePath)} is not in canonical form`,
    fix: 'Remove `*`, `//`, dot segments, backslashes and escapes',
  }
}
