import { defaultPort } from '#firewall/names/default-port.js'
import { parseAuthority } from '#firewall/names/hostname.js'
import type { Origin } from '#firewall/contracts/origin.js'
import { parseRequestTarget } from '#firewall/rules/request-path.js'

/** A token endpoint. */
export interface TokenEndpoint {
  readonly url: URL
  readonly origin: Origin
}

/**
 * Parses the URL of a token endpoint. Not with `URL`, which normalises its input: the request must go exactly where the
 * policy says.
 *
 * @returns null for anything but a scheme, host name, optional port, plain path and query
 */
export function readEndpoint(text: string): TokenEndpoint | null {
  const [, scheme, authority = '', target = ''] = /^(https?):\/\/([^/?#]*)(\/[^#]*)?$/.exec(text) ?? []
  if (scheme !== 'https' && scheme !== 'http') return null
  const named = parseAuthority(authority)
  const read = parseRequestTarget(target === '' ? '/' : target)
  if (named === null || typeof read === 'string') return null
  const origin = { scheme, host: named.host, port: named.port ?? defaultPort(scheme) } as const
  const url = new URL(`${scheme}://${named.host}:${String(origin.port)}${read.path}${read.query}`)
  return { url, origin }
}

/** The error that `check` reports for an invalid URL; null for a valid or missing one. */
export function endpointError(name: string, text: string | undefined): string | null {
  return text === undefined || readEndpoint(text) !== null
    ? null
    : `\`${name}\` must be a URL with a scheme, host name, optional port and path`
}
