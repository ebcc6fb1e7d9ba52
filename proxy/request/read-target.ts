import type { Policy } from '#firewall/contracts/policy.js'
import type { Scheme } from '#firewall/contracts/origin.js'
import type { ServiceTarget } from '#firewall/contracts/service.js'
import { authorityText, defaultPort } from '#firewall/names/default-port.js'
import { parseAuthority } from '#firewall/names/hostname.js'
import { deny, type Denial } from '../contracts/denial.js'
import { denyOwnAddress } from './own-address.js'
import type { Inquiry } from './exchange.js'

/** Sets origin and target of a request from the request target, in the form that its listener takes. */
export function readTarget(inquiry: Inquiry, policy: Policy): Denial | null {
  switch (inquiry.connection.listener) {
    case 'reverse':
      return readBaseUrlTarget(inquiry, policy)
    case 'forward':
      // Inside a CONNECT the request looks as it does at the transparent listener.
      return inquiry.connection.host === null ? readAbsoluteForm(inquiry) : readOriginForm(inquiry)
    case 'transparent':
      return readOriginForm(inquiry)
  }
}

/**
 * `GET /path` with a Host header (RFC 9112 section 3.2.1). Every server must take an absolute URL as well (section 3.2.2), which then
 * says what connection and Host say.
 */
function readOriginForm(inquiry: Inquiry): Denial | null {
  const { connection, requestTarget, headers } = inquiry
  const scheme = connection.scheme ?? 'http'
  if (ABSOLUTE.test(requestTarget)) {
    const denial = readAbsoluteForm(inquiry)
    return denial ?? (inquiry.origin?.scheme === scheme ? null : deny('host-mismatch'))
  }
  const authority = parseAuthority(String(headers['host']))
  inquiry.target = requestTarget
  if (authority === null) return deny('bad-authority')
  inquiry.origin = { scheme, host: authority.host, port: authority.port ?? defaultPort(scheme) }
  return null
}

const ABSOLUTE = /^(https?):\/\/([^/?#]*)(.*)$/i

/** `GET http://host/path` (RFC 9112 section 3.2.2). Host must say the same: the upstream may believe either. */
function readAbsoluteForm(inquiry: Inquiry): Denial | null {
  const match = ABSOLUTE.exec(inquiry.requestTarget)
  if (match === null) {
    const detail = 'this port is a proxy: it takes CONNECT and absolute URLs'
    return deny('bad-authority', { detail })
  }
  const scheme: Scheme = match[1]?.toLowerCase() === 'https' ? 'https' : 'http'
  const authority = parseAuthority(match[2] ?? '')
  const host = parseAuthority(String(inquiry.headers['host']))
  const rest = match[3] ?? ''
  inquiry.target = rest.startsWith('/') ? rest : `/${rest}`
  if (authority === null || host === null)
    return (
      (scheme === 'http' ? denyOwnAddress(match[2] ?? '', inquiry.target) : null) ?? deny('bad-authority')
    )
  const port = authority.port ?? defaultPort(scheme)
  inquiry.origin = { scheme, host: authority.host, port }
  const agrees = host.host === authority.host && (host.port ?? defaultPort(scheme)) === port
  return agrees ? null : deny('host-mismatch')
}

/** `GET /service/path` at the base-URL listener; a service with several targets is told which by `X-Sandbox-Target`. */
function readBaseUrlTarget(inquiry: Inquiry, policy: Policy): Denial | null {
  const match = /^\/([^/?#]+)(.*)$/s.exec(inquiry.requestTarget)
  inquiry.target = inquiry.requestTarget
  const service = policy.services.get(match?.[1] ?? '')
  if (match === null || service === undefined) return deny('unknown-service')
  const target = chooseTarget(service.targets, inquiry.headers['x-sandbox-target'])
  if (!('origin' in target)) return target
  const rest = match[2] ?? ''
  inquiry.service = service.name
  inquiry.origin = target.origin
  inquiry.target = `${target.basePath}${rest.startsWith('/') ? '' : '/'}${rest}`
  return null
}

/** A target is named by its whole origin, and compared as text: no prefix, no pattern, no other spelling. */
function chooseTarget(
  targets: readonly ServiceTarget[],
  named: string | string[] | undefined,
): ServiceTarget | Denial {
  const [only] = targets
  if (named === undefined) return targets.length === 1 && only !== undefined ? only : deny('target-required')
  return targets.find((target) => originText(target) === named) ?? deny('bad-target')
}

function originText({ origin: { scheme, host, port } }: ServiceTarget): string {
  return `${scheme}://${authorityText(scheme, host, port)}`
}
