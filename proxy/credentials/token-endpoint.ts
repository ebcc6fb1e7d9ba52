import { parseAuthority } from '#firewall/names/hostname.js'
import type { Origin } from '#firewall/contracts/origin.js'
import { parseRequestTarget } from '#firewall/rules/request-path.js'

/** Where tokens are asked for. */
export interface TokenEndpoint {
  readonly url: URL
  readonly origin: Origin
}

/**
 * Reads the URL of a token endpoint. By hand, for `URL` repairs what it finds, and what is asked must be what the policy
 * says.
 *
 * @returns null for anything but scheme, host name, optional port, plain path and query
 */
export function readEndpoint(text: string): TokenEndpoint | null {
  const [, scheme, authority = '', target = ''] = /^(https?):\/\/([^/?#]*)(\/[^#]*)?$/.exec(text) ?? []
  if (scheme !== 'https' && scheme !== 'http') return null
  const named = parseAuthority(authority)
  const read = parseRequestTarget(target === '' ? '/' : target)
  if (named === null || typeof read === 'string') return null
  const origin = { scheme, host: named.host, port: named.port ?? (scheme === 'https' ? 443 : 80) } as const
  const url = new URL(`${scheme}://${named.host}:${String(origin.port)}${read.path}${read.query}`)
  return { url, origin }
}

/** What `check` says about a URL that cannot be read; null where it can, or where there is none. */
export function endpointError(name: string, text: string | undefined): string | null {
  return text === undefined || readEndpoint(text) !== null
    ? null
    : `\`${name}\` is not a URL of scheme, host name, optional port and path`
}
