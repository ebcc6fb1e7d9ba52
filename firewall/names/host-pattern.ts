import { parse as parseDomain } from 'tldts'
import type { Diagnostic } from '../contracts/diagnostic.js'
import type { HostPattern } from '../contracts/names.js'
import { parseHostname } from './hostname.js'

/**
 * Reads a host pattern. Over-broad wildcards (`*`, `*.com`, `*.co.uk`, `*.github.io`) are errors: under a public suffix, an
 * attacker can register a name and receive the data that is sent to it (https://publicsuffix.org).
 *
 * @param allowPublicSuffix true to accept a wildcard under a suffix whose owner gives names to customers (`*.cloudfront.net`),
 *   which the list calls private; a registry's suffix is never accepted
 */
export function parseHostPattern(text: string, allowPublicSuffix = false): HostPattern | Diagnostic {
  const wildcard = /^(\*\*?)\.(.+)$/.exec(text)
  if (wildcard === null) {
    if (text.includes('*')) {
      return {
        problem: `Invalid wildcard in \`${text}\`: it must be the whole first label`,
        fix: 'Write `*.example.com` (one label) or `**.example.com` (one or more), or list the hosts',
      }
    }
    const host = parseHostname(text)
    if (host === null) {
      return {
        problem: `Invalid host name \`${text}\``,
        fix: 'Write a name such as `api.example.com`, without scheme, port or path, not an IP address; IDN as `xn--…`',
      }
    }
    return { kind: 'exact', host, text: host }
  }
  const [, stars = '', rest = ''] = wildcard
  const suffix = parseHostname(rest)
  if (suffix === null) {
    return {
      problem: `Invalid host name \`${rest}\` in \`${text}\``,
      fix: 'Write `*.example.com` (one label) or `**.example.com` (one or more)',
    }
  }
  const owner = ownerOf(suffix)
  if (owner === 'registry' || (owner === 'provider' && !allowPublicSuffix)) {
    const accept =
      owner === 'provider' ? '; to accept it for this entry, add `allow_public_suffix: true`' : ''
    return {
      problem: `\`${text}\` is too broad: anyone can register a name under \`${suffix}\``,
      fix: `Name a domain under it, such as \`*.example.${suffix}\`, or list the hosts${accept}`,
    }
  }
  return { kind: 'wildcard', suffix, recursive: stars === '**', text: `${stars}.${suffix}` }
}

/** Who gives out names under a public suffix: `co.uk` is in the list's ICANN part, `github.io` in its private part. */
function ownerOf(suffix: string): 'registry' | 'provider' | null {
  const domain = parseDomain(suffix, { allowPrivateDomains: true })
  if (domain.publicSuffix !== suffix) return null
  return domain.isPrivate === true ? 'provider' : 'registry'
}

/**
 * The labels that the wildcard matched, first label first, empty for an exact match; null if the name does not match. A recursive
 * wildcard does not cross a public suffix: `**.amazonaws.com` does not match `bucket.s3.amazonaws.com`, which may be an
 * attacker's bucket.
 */
export function matchHost(pattern: HostPattern, host: string): readonly string[] | null {
  if (pattern.kind === 'exact') return host === pattern.host ? [] : null
  const { suffix, recursive } = pattern
  if (!host.endsWith(`.${suffix}`)) return null
  const labels = host.slice(0, -(suffix.length + 1)).split('.')
  if (labels.length === 1) return labels
  return recursive && !crossesPublicSuffix(host, suffix) ? labels : null
}

function crossesPublicSuffix(host: string, suffix: string): boolean {
  const { publicSuffix } = parseDomain(host, { allowPrivateDomains: true })
  return publicSuffix !== null && publicSuffix !== host && publicSuffix.length > suffix.length
}

/** True if `outer` matches every name that `inner` matches. */
export function coversHost(outer: HostPattern, inner: HostPattern): boolean {
  if (inner.kind === 'exact') return matchHost(outer, inner.host) !== null
  if (outer.kind === 'exact') return false
  if (outer.suffix === inner.suffix) return outer.recursive || !inner.recursive
  return outer.recursive && inner.suffix.endsWith(`.${outer.suffix}`)
}
