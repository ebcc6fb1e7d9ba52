import type { Reason } from '#firewall/contracts/reasons.js'
import { codeOf } from '../contracts/errors.js'

/** Error codes of undici, Node and OpenSSL, and what they mean for the agent. */
const REASONS_BY_CODE: Readonly<Record<string, Reason>> = {
  UND_ERR_HEADERS_TIMEOUT: 'upstream-timeout',
  UND_ERR_BODY_TIMEOUT: 'upstream-timeout',
  UND_ERR_CONNECT_TIMEOUT: 'upstream-timeout',
  ETIMEDOUT: 'upstream-timeout',
  EGRESS_RESPONSE_TIMEOUT: 'upstream-timeout',
  EGRESS_INTERIM_RESPONSES: 'upstream-protocol',
  // The pool was closed under the request: nobody does that but a gateway that ends.
  UND_ERR_DESTROYED: 'shutting-down',
  UND_ERR_HEADERS_OVERFLOW: 'upstream-protocol',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'upstream-protocol',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'upstream-tls',
  SELF_SIGNED_CERT_IN_CHAIN: 'upstream-tls',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'upstream-tls',
  UNABLE_TO_GET_ISSUER_CERT: 'upstream-tls',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'upstream-tls',
  HOSTNAME_MISMATCH: 'upstream-tls',
  INVALID_CA: 'upstream-tls',
  INVALID_PURPOSE: 'upstream-tls',
  PATH_LENGTH_EXCEEDED: 'upstream-tls',
  EPROTO: 'upstream-tls',
}

/** Prefixes of families of codes: `CERT_HAS_EXPIRED`, `ERR_TLS_CERT_ALTNAME_INVALID`, `ERR_SSL_…`, `HPE_…`. */
const REASONS_BY_PREFIX: readonly (readonly [string, Reason])[] = [
  ['CERT_', 'upstream-tls'],
  ['ERR_TLS_', 'upstream-tls'],
  ['ERR_SSL_', 'upstream-tls'],
  ['HPE_', 'upstream-protocol'],
]

/** A kept-alive connection that the upstream closed just as it was used again. */
export function isStale(code: string | null): boolean {
  return code === 'UND_ERR_SOCKET'
}

export function reasonOf(error: unknown): Reason {
  const code = codeOf(error)
  const byCode = Object.hasOwn(REASONS_BY_CODE, code) ? REASONS_BY_CODE[code] : undefined
  if (byCode !== undefined) return byCode
  return REASONS_BY_PREFIX.find(([prefix]) => code.startsWith(prefix))?.[1] ?? 'upstream-unreachable'
}
