import t from 'tap'
import { codeOf } from '../contracts/errors.js'
import { reasonOf } from './failures.js'

void t.test('codes and what they mean', (t) => {
  for (const [code, reason] of [
    ['EGRESS_CONNECT_TIMEOUT', 'upstream-timeout'],
    ['EGRESS_RESPONSE_TIMEOUT', 'upstream-timeout'],
    ['EGRESS_IDLE_TIMEOUT', 'upstream-timeout'],
    ['ETIMEDOUT', 'upstream-timeout'],
    ['EGRESS_UPSTREAM_PROTOCOL', 'upstream-protocol'],
    ['EGRESS_UPSTREAM_CLOSED', 'upstream-protocol'],
    ['EGRESS_INTERIM_RESPONSES', 'upstream-protocol'],
    ['EGRESS_UPSTREAMS_CLOSED', 'shutting-down'],
    ['HPE_INVALID_CONSTANT', 'upstream-protocol'],
    ['CERT_HAS_EXPIRED', 'upstream-tls'],
    ['CERT_NOT_YET_VALID', 'upstream-tls'],
    ['CERT_REVOKED', 'upstream-tls'],
    ['CERT_UNTRUSTED', 'upstream-tls'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'upstream-tls'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'upstream-tls'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'upstream-tls'],
    ['UNABLE_TO_GET_ISSUER_CERT', 'upstream-tls'],
    ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'upstream-tls'],
    ['INVALID_CA', 'upstream-tls'],
    ['INVALID_PURPOSE', 'upstream-tls'],
    ['PATH_LENGTH_EXCEEDED', 'upstream-tls'],
    ['HOSTNAME_MISMATCH', 'upstream-tls'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'upstream-tls'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'upstream-tls'],
    ['EPROTO', 'upstream-tls'],
    ['ECONNREFUSED', 'upstream-unreachable'],
    ['ECONNRESET', 'upstream-unreachable'],
    ['EHOSTUNREACH', 'upstream-unreachable'],
    ['', 'upstream-unreachable'],
    ['constructor', 'upstream-unreachable'],
    ['toString', 'upstream-unreachable'],
    ['__proto__', 'upstream-unreachable'],
  ] as const)
    t.equal(reasonOf(Object.assign(new Error('m'), { code })), reason, code)
  t.end()
})

void t.test('whatever was thrown; the message never gets into the log', (t) => {
  for (const thrown of [
    null,
    undefined,
    'text',
    7,
    {},
    new Error('Bearer s3cr3t'),
    { code: 7 },
    { code: null },
  ]) {
    t.equal(codeOf(thrown), 'unknown')
    t.equal(reasonOf(thrown), 'upstream-unreachable')
  }
  t.equal(codeOf(Object.assign(new Error('Bearer s3cr3t'), { code: 'EPIPE' })), 'EPIPE')
  t.end()
})
