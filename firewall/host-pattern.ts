import { parse as parseDomain } from 'tldts'
import { parseHostname } from './hostname.js'

/** `host` matches itself; `*.suffix` one label more; `**.suffix` one or more. A wildcard never matches its suffix. */
export type HostPattern =
  | { readonly kind: 'exact'; readonly host: string; readonly text: string }
  | { readonly kind: 'wildcard'; readonly suffix: string; readonly deep: boolean; readonly text: string }

/** What is wrong with a line of policy, and what to write instead. */
export interface Fault {
  readonly problem: string
  readonly fix: string
}

export function isFault(value: object): value is Fault {
  return 'problem' in value && 'fix' in value
}

/**
 * Reads a host pattern. Over-broad wildcards (`*`, `*.com`, `*.co.uk`, `*.github.io`) are faults: under a public suffix
 * anybody can register the name that carries the data away (https://publicsuffix.org).
 */
export function parseHostPattern(text: string): HostPattern | Fault {
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
  const broad = breadth(suffix)
  if (broad !== null) {
    return {
      problem: `\`${text}\` is over-broad: ${broad}`,
      fix: `name the domain that you mean, such as \`*.example.${suffix}\`, or list the hosts`,
    }
  }
  return { kind: 'wildcard', suffix, deep: stars === '**', text: `${stars}.${suffix}` }
}

function breadth(suffix: string): string | null {
  // Both readings of the list: `co.uk` is in its ICANN part, `github.io` in its private part.
  const domain = parseDomain(suffix, { allowPrivateDomains: true })
  if (domain.publicSuffix === suffix) {
    return `anybody can register a name under \`${suffix}\``
  }
  return null
}

/** The labels that the pattern left open, first label first; null when the name does not match. */
export function matchHost(pattern: HostPattern, host: string): readonly string[] | null {
  if (pattern.kind === 'exact') return host === pattern.host ? [] : null
  if (!host.endsWith(`.${pattern.suffix}`)) return null
  const open = host.slice(0, -(pattern.suffix.length + 1)).split('.')
  return pattern.deep || open.length === 1 ? open : null
}

/** True when every name that `inner` matches is matched by `outer`. */
export function coversHost(outer: HostPattern, inner: HostPattern): boolean {
  if (inner.kind === 'exact') return matchHost(outer, inner.host) !== null
  if (outer.kind === 'exact') return false
  if (outer.suffix === inner.suffix) return outer.deep || !inner.deep
  return outer.deep && inner.suffix.endsWith(`.${outer.suffix}`)
}
