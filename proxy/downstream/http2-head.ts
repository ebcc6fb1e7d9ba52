import { constants } from 'node:http2'
import type { Headers } from '#firewall/contracts/credential.js'
import type { Scheme } from '#firewall/contracts/origin.js'
import { collectHeaders } from '../message/headers.js'

/** The head of a request of HTTP/2, in the words of HTTP/1.1: what decides about it knows one form. */
export interface Http2Request {
  readonly method: string
  /** A path; an absolute URL where the scheme is not the connection's, so that it is checked like one. */
  readonly target: string
  /** With `host`, twice where `:authority` and `Host` differ. */
  readonly headers: Headers
  /** RFC 8441 section 5. */
  readonly isWebSocket: boolean
}

/** How the connection spells what a request is for. */
export interface TargetForm {
  /** Of the connection; null where either may come. */
  readonly scheme: Scheme | null
  /** Whether it is a proxy's, which is told whole URLs. */
  readonly isProxy: boolean
}

const { HTTP2_HEADER_AUTHORITY, HTTP2_HEADER_METHOD, HTTP2_HEADER_PATH, HTTP2_HEADER_SCHEME } = constants

/**
 * Reads a head (RFC 9113 section 8.3.1). nghttp2 has rejected one with pseudo-header fields that are unknown, repeated, missing or
 * late, upper-case names, control bytes, and fields that speak of a connection.
 *
 * @param raw name, value, name, value …, in the order in which they came
 */
export function readHttp2Head(raw: readonly string[], form: TargetForm): Http2Request {
  const headers = collectHeaders(raw)
  const take = (name: string) => {
    const value = headers[name]
    Reflect.deleteProperty(headers, name)
    return typeof value === 'string' ? value : null
  }
  const method = take(HTTP2_HEADER_METHOD) ?? ''
  const scheme = take(HTTP2_HEADER_SCHEME)?.toLowerCase() ?? null
  const authority = take(HTTP2_HEADER_AUTHORITY)
  const path = take(HTTP2_HEADER_PATH)
  const protocol = take(':protocol')
  setHost(headers, authority)
  joinCookies(headers)
  const isWebSocket =
    method === 'CONNECT' && protocol === 'websocket' && headers['sec-websocket-version'] === '13'
  // A policy knows a WebSocket as the GET that asks for it (RFC 6455 section 4.1).
  return {
    method: isWebSocket ? 'GET' : method,
    target: targetOf(scheme, authority ?? '', path, form),
    headers,
    isWebSocket,
  }
}

function targetOf(scheme: string | null, authority: string, path: string | null, form: TargetForm): string {
  if (path === null) return authority
  if (scheme === null || (!form.isProxy && scheme === (form.scheme ?? scheme))) return path
  return `${scheme}://${authority}${path}`
}

/** Threat: a server behind us that believes the other of two names. */
function setHost(headers: Headers, authority: string | null): void {
  const { host } = headers
  if (authority === null) return
  if (host === undefined || host === authority) headers['host'] = authority
  else headers['host'] = [authority, ...[host].flat()]
}

/** RFC 9113 section 8.2.3: a cookie may come in pieces, and HTTP/1.1 has one line. */
function joinCookies(headers: Headers): void {
  const { cookie } = headers
  if (Array.isArray(cookie)) headers['cookie'] = cookie.join('; ')
}
