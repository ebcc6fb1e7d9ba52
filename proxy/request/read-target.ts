import { parseAuthority } from '#firewall/names/hostname.js'
import type { Policy } from '#firewall/contracts/policy.js'
import type { Scheme } from '#firewall/contracts/origin.js'
import type { ServiceTarget } from '#firewall/contracts/service.js'
import { deny, type Exchange, type Denial } from './exchange.js'

/** Sets origin and target of the exchange from the request target, in the form that its listener takes. */
export function readTarget(exchange: Exchange, policy: Policy): Denial | null {
  switch (exchange.connection.listener) {
    case 'reverse':
      return readBaseUrlTarget(exchange, policy)
    case 'forward':
      // Inside a CONNECT the request looks as it does at the transparent listener.
      return exchange.connection.host === null ? readAbsoluteForm(exchange) : readOriginForm(exchange)
    case 'transparent':
      return readOriginForm(exchange)
  }
}

/** `GET /path` with a Host header (RFC 9112 section 3.2.1). */
function readOriginForm(exchange: Exchange): Denial | null {
  const { connection, request, headers } = exchange
  const scheme = connection.scheme ?? 'http'
  const authority = parseAuthority(String(headers['host']))
  exchange.target = request.url ?? ''
  if (authority === null) return deny('bad-authority')
  exchange.origin = { scheme, host: authority.host, port: authority.port ?? defaultPort(scheme) }
  return null
}

/** `GET http://host/path` (RFC 9112 section 3.2.2). Host must say the same: the upstream may believe either. */
function readAbsoluteForm(exchange: Exchange): Denial | null {
  const match = /^(https?):\/\/([^/?#]*)(.*)$/i.exec(exchange.request.url ?? '')
  if (match === null) {
    const detail = 'this port is a proxy: it takes CONNECT and absolute URLs'
    return deny('bad-authority', { detail })
  }
  const scheme: Scheme = match[1]?.toLowerCase() === 'https' ? 'https' : 'http'
  const authority = parseAuthority(match[2] ?? '')
  const host = parseAuthority(String(exchange.headers['host']))
  const rest = match[3] ?? ''
  exchange.target = rest.startsWith('/') ? rest : `/${rest}`
  if (authority === null || host === null) return deny('bad-authority')
  const port = authority.port ?? defaultPort(scheme)
  exchange.origin = { scheme, host: authority.host, port }
  const agrees = host.host === authority.host && (host.port ?? defaultPort(scheme)) === port
  return agrees ? null : deny('host-mismatch')
}

/** `GET /service/path` at the base-URL listener; a service with several targets is told which by `X-Sandbox-Target`. */
function readBaseUrlTarget(exchange: Exchange, policy: Policy): Denial | null {
  const match = /^\/([^/?#]+)(.*)$/s.exec(exchange.request.url ?? '')
  exchange.target = exchange.request.url ?? ''
  const service = policy.services.get(match?.[1] ?? '')
  if (match === null || service === undefined) return deny('unknown-service')
  const target = chooseTarget(service.targets, exchange.headers['x-sandbox-target'])
  if (!('origin' in target)) return target
  const rest = match[2] ?? ''
  exchange.service = service.name
  exchange.origin = target.origin
  exchange.target = `${target.basePath}${rest.startsWith('/') ? '' : '/'}${rest}`
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
  return `${scheme}://${host}${port === defaultPort(scheme) ? '' : `:${String(port)}`}`
}

export function defaultPort(scheme: Scheme): number {
  return scheme === 'https' ? 443 : 80
}
