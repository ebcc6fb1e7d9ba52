import type { Reason } from '#firewall/contracts/reasons.js'
import { codeOf } from '../contracts/errors.js'

/** Error codes of ours, of Node and OpenSSL, and what they mean for the agent. */
const REASONS_BY_CODE: Readonly<Record<string, Reason>> = {
  ETIMEDOUT: 'upstream-timeout',
  EGRESS_CONNECT_TIMEOUT: 'upstream-timeout',
  EGRESS_RESPONSE_TIMEOUT: 'upstream-timeout',
  EGRESS_IDLE_TIMEOUT: 'upstream-timeout',
  EGRESS_INTERIM_RESPONSES: 'upstream-protocol',
  EGRESS_UPSTREAM_PROTOCOL: 'upstream-protocol',
  EGRESS_UPSTREAM_CLOSED: 'upstream-protocol',
  EGRESS_MEMORY_LIMIT: 'busy',
  EGRESS_UPSTREAM_HTTP2: 'upstream-protocol',
  EGRESS_UPSTREAMS_CLOSED: 'shutting-down',
  EGRESS_UPSTREAM_PROXY: 'upstream-proxy',
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

export function reasonOf(error: unknown): Reason {
  const code = codeOf(error)
  const byCode = Object.hasOwn(REASONS_BY_CODE, code) ? REASONS_BY_CODE[code] : undefined
  if (byCode !== undefined) return byCode
  return REASONS_BY_PREFIX.find(([prefix]) => code.startsWith(prefix))?.[1] ?? 'upstream-unreachable'
}

/** What is said of an error: the sentence of one of ours, which holds nothing that was sent; else its code. */
export function detailOf(error: unknown): string {
  const code = codeOf(error)
  return SAID.has(code) && error instanceof Error ? error.message : code
}

const SAID = new Set([
  'EGRESS_CONNECT_TIMEOUT',
  'EGRESS_RESPONSE_TIMEOUT',
  'EGRESS_IDLE_TIMEOUT',
  'EGRESS_INTERIM_RESPONSES',
  'EGRESS_UPSTREAM_PROTOCOL',
  'EGRESS_UPSTREAM_CLOSED',
  'EGRESS_UPSTREAM_PROXY',
  'EGRESS_UPSTREAM_HTTP2',
  'EGRESS_INVALID_REQUEST',
])
