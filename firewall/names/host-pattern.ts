import { parse as parseDomain } from 'tldts'
import { parseHostname } from './hostname.js'

/** `host` matches itself; `*.suffix` one label more; `**.suffix` one or more. A wildcard never matches its suffix. */
export type HostPattern =
  | { readonly kind: 'exact'; readonly host: string; readonly text: string }
  | { readonly kind: 'wildcard'; readonly suffix: string; readonly deep: boolean; readonly text: string }

/** What is wrong with a line of policy, and what to write instead. */
export interface Diagnostic {
  readonly problem: string
  readonly fix: string
}

export function isDiagnostic(value: object): value is Diagnostic {
  return 'problem' in value && 'fix' in value
}

/**
 * Reads a host pattern. Over-broad wildcards (`*`, `*.com`, `*.co.uk`, `*.github.io`) are faults: under a public suffix
 * anybody can register the name that carries the data away (https://publicsuffix.org).
 *
 * @param shared true to take a wildcard under a suffix whose owner gives names to anybody (`*.cloudfront.net`), which the
 *   list calls private; never one under a registry's
 */
export function parseHostPattern(text: string, shared = false): HostPattern | Diagnostic {
  const wildcard = /^(\*\*?)\.(.+)$/.exec(text)
  if (wildcard === null) {
    if (text.includes('*')) {
      return {
        problem: `the wildcard in \`${text}\` is not a whole first label`,
        fix: 'write `*.example.com` (one label) or `**.example.com` (any depth), or list the hosts',
      }
    }
    const host = parseHostname(text)
    if (host === null) {
      return {
        problem: `\`${text}\` is not a host name`,
        fix: 'write a name such as `api.example.com`: no scheme, no port, no path, no address; IDN as `xn--…`',
      }
    }
    return { kind: 'exact', host, text: host }
  }
  const [, stars = '', rest = ''] = wildcard
  const suffix = parseHostname(rest)
  if (suffix === null) {
    return {
      problem: `\`${rest}\` in \`${text}\` is not a host name`,
      fix: 'write `*.example.com` (one label) or `**.example.com` (any depth)',
    }
  }
  const owner = sharedBy(suffix)
  if (owner === 'registry' || (owner === 'provider' && !shared)) {
    const accept = owner === 'provider' ? '; `shared: true` accepts it for this entry' : ''
    return {
      problem: `\`${text}\` is over-broad: anybody can register a name under \`${suffix}\``,
      fix: `name the domain that you mean, such as \`*.example.${suffix}\`, or list the hosts${accept}`,
    }
  }
  return { kind: 'wildcard', suffix, deep: stars === '**', text: `${stars}.${suffix}` }
}

/** Whose customers can be anybody: `co.uk` is in the list's ICANN part, `github.io` in its private part. */
function sharedBy(suffix: string): 'registry' | 'provider' | null {
  const domain = parseDomain(suffix, { allowPrivateDomains: true })
  if (domain.publicSuffix !== suffix) return null
  return domain.isPrivate === true ? 'provider' : 'registry'
}

/**
 * The labels that the pattern left open, first label first; null when the name does not match. A deep wildcard ends where
 * unknown clients begin: `**.amazonaws.com` does not match `anybody.s3.amazonaws.com`.
 */
export function matchHost(pattern: HostPattern, host: string): readonly string[] | null {
  if (pattern.kind === 'exact') return host === pattern.host ? [] : null
  const { suffix, deep } = pattern
  if (!host.endsWith(`.${suffix}`)) return null
  const open = host.slice(0, -(suffix.length + 1)).split('.')
  if (open.length === 1) return open
  return deep && !crossesPublicSuffix(host, suffix) ? open : null
}

function crossesPublicSuffix(host: string, suffix: string): boolean {
  const { publicSuffix } = parseDomain(host, { allowPrivateDomains: true })
  return publicSuffix !== null && publicSuffix !== host && publicSuffix.length > suffix.length
}

/** True when every name that `inner` matches is matched by `outer`. */
export function coversHost(outer: HostPattern, inner: HostPattern): boolean {
  if (inner.kind === 'exact') return matchHost(outer, inner.host) !== null
  if (outer.kind === 'exact') return false
  if (outer.suffix === inner.suffix) return outer.deep || !inner.deep
  return outer.deep && inner.suffix.endsWith(`.${outer.suffix}`)
}
