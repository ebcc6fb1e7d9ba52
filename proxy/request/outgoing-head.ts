import type { Headers } from '#firewall/contracts/credential.js'
import { authorityText } from '#firewall/names/default-port.js'
import { copyHeaders, endToEndHeaders } from '../message/headers.js'
import { stripClientCredential } from './credential-locations.js'
import { required, type Exchange } from './exchange.js'
import { dropSteeringHeaders } from './steering-headers.js'

/**
 * Headers that a client makes anew for each attempt. A request that a person approves has none of them: what was approved is then
 * what is sent, and another attempt is the same request.
 */
const PER_ATTEMPT: readonly string[] = [
  'amz-sdk-invocation-id',
  'amz-sdk-request',
  'b3',
  'baggage',
  'date',
  'request-id',
  'sentry-trace',
  'traceparent',
  'tracestate',
  'x-amzn-trace-id',
  'x-b3-parentspanid',
  'x-b3-sampled',
  'x-b3-spanid',
  'x-b3-traceid',
  'x-client-request-id',
  'x-cloud-trace-context',
  'x-correlation-id',
  'x-request-id',
  'x-stainless-retry-count',
]

export interface OutgoingHead {
  /** What goes upstream, before the gateway's own parts: its credential, its WebSocket key, and the codings that it reads. */
  readonly headers: Headers
  readonly query: string
  /** With what the sandbox has in the locations of the credential, which its signature may cover. */
  readonly sent: { readonly headers: Headers; readonly query: string }
}

/** The head of a request without hop-by-hop and steering headers, and without any value in the locations of the credential. */
export function outgoingHead(exchange: Exchange): OutgoingHead {
  const { host, port, scheme } = required(exchange.origin)
  const { service, destination } = required(exchange.verdict)
  const { query } = required(exchange.path)
  const headers = endToEndHeaders(exchange.headers)
  delete headers['x-sandbox-target']
  dropSteeringHeaders(headers, service?.locations ?? {}, destination.passHeaders ?? [])
  headers['host'] = authorityText(scheme, host, port)
  if (exchange.asks !== null) {
    for (const name of PER_ATTEMPT) Reflect.deleteProperty(headers, name)
    if (exchange.readBody !== null && exchange.downstream.hasBody)
      headers['content-length'] = String(exchange.readBody.length)
  }
  const sent = { headers: copyHeaders(headers), query }
  // Frames are read in both directions, so nothing may change them (RFC 6455 section 9).
  delete headers['sec-websocket-extensions']
  return {
    headers,
    query: service === null ? query : stripClientCredential(service.locations, headers, query),
    sent,
  }
}
