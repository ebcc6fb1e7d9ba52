import type { CredentialLocations } from '../contracts/credential.js'
import type { Destination, Origin, Rule } from '../contracts/policy.js'
import type { Quota } from '../ledger/quota.js'

/** A rule in plain words, used by `egress check`, `egress explain` and the documentation alike. */
export function describeRule(rule: Rule): string {
  const methods = rule.methods === null ? 'any method' : rule.methods.join(', ')
  const what = rule.path.segments.length === 0 && rule.path.recursive ? 'any path' : describePath(rule)
  return `${rule.effect === 'allow' ? 'may' : 'may not'} use ${methods} on ${what}`
}

function describePath({ path }: Rule): string {
  if (!path.recursive) return path.text
  return `${path.text.slice(0, -3)} and everything below it`
}

/** An origin as a URL spells it, without the standard port. */
export function describeOrigin({ scheme, host, port }: Origin): string {
  return `${scheme}://${host}${port === (scheme === 'https' ? 443 : 80) ? '' : `:${String(port)}`}`
}

/** Where a destination is, in plain words: `https://api.example.com`, `https on ports 443, 8443 of *.example.com`. */
export function describeDestination({ host, scheme, ports, mode }: Destination): string {
  const standard = scheme === 'https' ? 443 : 80
  const where =
    ports.length === 1
      ? `${scheme}://${host.text}${ports[0] === standard ? '' : `:${String(ports[0])}`}`
      : `${scheme} on ports ${ports.join(', ')} of ${host.text}`
  return mode === 'tunnel' ? `${where} (TLS tunnel, content unseen)` : where
}

/** `1000 requests and 104857600 bytes in 60 minutes`. */
export function describeQuota({ requests, bytes, windowMs }: Quota): string {
  const parts = [
    ...(requests === null ? [] : [`${String(requests)} requests`]),
    ...(bytes === null ? [] : [`${String(bytes)} bytes of bodies`]),
  ]
  return `${parts.join(' and ')} in ${String(windowMs / 60_000)} minutes`
}

/** Where a credential is put, in plain words: `header authorization`, `parameter key and the path`. */
export function describeLocations({
  headers = [],
  query = [],
  cookies = [],
  path = false,
}: CredentialLocations): string {
  const places = [
    ...headers.map((name) => `header ${name}`),
    ...query.map((name) => `parameter ${name}`),
    ...cookies.map((name) => `cookie ${name}`),
    ...(path ? ['the path'] : []),
  ]
  return places.join(' and ') || 'the connection'
}
