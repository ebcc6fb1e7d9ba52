import { sensitiveHeaders, type OutgoingHttpHeaders } from 'node:http2'
import { isConnectionHeader } from '../../message/headers.js'
import { checkRequest } from '../request-syntax.js'
import type { UpstreamRequest } from '../upstream.js'

/** Secret wherever they are, beside the fields that a credential is in. */
const SECRET = ['authorization', 'proxy-authorization', 'cookie']

/**
 * The head of a request as HTTP/2 has it (RFC 9113 section 8.3.1). What holds a secret is a literal that no table of the
 * connection remembers (RFC 7541 section 7.1.3).
 *
 * @throws InvalidRequest
 */
export function headOf(scheme: string, request: UpstreamRequest): OutgoingHttpHeaders {
  checkRequest(request)
  const head: OutgoingHttpHeaders = {
    ':method': request.method,
    ':scheme': scheme,
    ':authority': String(request.headers['host']),
    ':path': request.path,
  }
  for (const name in request.headers) {
    const lower = name.toLowerCase()
    if (lower === 'host' || isConnectionHeader(lower)) continue
    head[lower] = request.headers[name]
  }
  // RFC 9110 section 10.1.4: gRPC servers answer nobody who does not take them.
  head['te'] = 'trailers'
  const secret = new Set([...SECRET, ...(request.secretFields ?? [])].map((name) => name.toLowerCase()))
  return Object.assign(head, { [sensitiveHeaders]: [...secret].filter((name) => name in head) })
}
