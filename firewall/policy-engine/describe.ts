import { authorityText, defaultPort } from '../names/default-port.js'
import type { CredentialLocations } from '../contracts/credential.js'
import { RULE_KINDS } from '../rules/index.js'
import type { Destination } from '../contracts/policy.js'
import type { Origin } from '../contracts/origin.js'
import type { Rule } from '../contracts/rule.js'
import type { Quota } from '../contracts/limits.js'

/** A rule in plain English, used by `egress check`, `egress explain` and the documentation. */
export function describeRule(rule: Rule): string {
  return RULE_KINDS.explain(rule)
}

/** An origin as a URL, without the standard port. */
export function describeOrigin({ scheme, host, port }: Origin): string {
  return `${scheme}://${authorityText(scheme, host, port)}`
}

/** The address of a destination in plain English: `https://api.example.com`, `https on ports 443, 8443 of *.example.com`. */
export function describeDestination({ host, scheme, ports, mode }: Destination): string {
  const standard = defaultPort(scheme)
  const where =
    ports.length === 1
      ? `${scheme}://${host.text}${ports[0] === standard ? '' : `:${String(ports[0])}`}`
      : `${scheme} on ports ${ports.join(', ')} of ${host.text}`
  return mode === 'tunnel' ? `${where} (TLS tunnel, not inspected)` : where
}

/** `1000 requests and 104857600 bytes of bodies per 60 minutes`. */
export function describeQuota({ requests, bytes, windowMs }: Quota): string {
  const parts = [
    ...(requests === null ? [] : [`${String(requests)} requests`]),
    ...(bytes === null ? [] : [`${String(bytes)} bytes of bodies`]),
  ]
  return `${parts.join(' and ')} per ${String(windowMs / 60_000)} minutes`
}

/** The locations of a credential in plain English: `header authorization`, `parameter key and the path`. */
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
