import { isIPv6, type Socket } from 'node:net'
import type { UpstreamProxy } from '#firewall/contracts/upstream-proxy.js'
import { codeOf } from '../contracts/errors.js'
import { proxyAuthorization } from '../credentials/proxy-authorization.js'
import type { ResolvedProxy } from './upstream.js'

/** Bytes of the head of a proxy's response, which may have a cookie or two. */
const MAX_HEAD = 16_384

/** The proxy of the operator's network failed, or refused. The message holds nothing that it sent. */
export class UpstreamProxyError extends Error {
  readonly code = 'EGRESS_UPSTREAM_PROXY'
}

/** What a status of a proxy means, and who can do something about it. */
const REFUSALS: Readonly<Record<number, string>> = {
  400: 'did not understand the request',
  401: 'asks for other credentials; check the user and the password in `upstream.proxy`',
  403: 'does not allow this host and port',
  405: 'does not allow CONNECT',
  407: 'asks for other credentials; check the user and the password in `upstream.proxy`',
  429: 'limits the rate of requests',
  500: 'failed',
  502: 'could not reach the upstream',
  503: 'could not reach the upstream',
  504: 'got no answer from the upstream in time',
}

/**
 * Asks a proxy for a connection (RFC 9110 section 9.3.6), for plain HTTP as well: what is sent is the same as without a proxy,
 * and the proxy sees no more of a request than it must.
 *
 *     gateway ── CONNECT host:port ──▶ proxy ──▶ upstream
 *     gateway ═══════ TLS, end to end ═══════════ upstream
 *
 * @param socket connected to the proxy; closed if this fails
 * @returns the socket, of which no byte behind the response was read
 */
export function connectThrough(
  socket: Socket,
  { proxy, target }: ResolvedProxy,
  port: number,
  signal: AbortSignal,
): Promise<Socket> {
  const authority = `${isIPv6(target) ? `[${target}]` : target}:${String(port)}`
  const lines = [`CONNECT ${authority} HTTP/1.1`, `Host: ${authority}`, 'User-Agent: agent-egress-firewall']
  const authorization = proxyAuthorization(proxy)
  if (authorization !== null) lines.push(`Proxy-Authorization: ${authorization}`)
  return new Promise((resolve, reject) => {
    let head = Buffer.alloc(0)
    const settle = () => {
      socket.off('readable', onReadable).off('close', onClose)
      signal.removeEventListener('abort', onAbort)
    }
    const fail = (error: Error) => {
      settle()
      socket.destroy()
      reject(error)
    }
    const onAbort = () => fail(signal.reason as Error)
    const onClose = () => fail(new UpstreamProxyError('the proxy closed the connection without a response'))
    const onReadable = () => {
      for (;;) {
        const chunk = socket.read() as Buffer | null
        if (chunk === null) return
        head = Buffer.concat([head, chunk])
        const end = head.indexOf('\r\n\r\n')
        const text = head.subarray(0, end < 0 ? head.length : end).toString('latin1')
        if (end < 0 && head.length <= MAX_HEAD) continue
        const error = end < 0 ? 'sent a response head that is too long' : refusalOf(text, proxy)
        if (error !== null) fail(new UpstreamProxyError(`the proxy ${error}`))
        // Whoever speaks through it begins on our side: in TLS, in HTTP, in a tunnel of TLS.
        else if (head.length > end + 4) fail(new UpstreamProxyError('the proxy sent more than a response'))
        else {
          settle()
          resolve(socket)
        }
        return
      }
    }
    if (signal.aborted) {
      onAbort()
      return
    }
    signal.addEventListener('abort', onAbort)
    socket.on('close', onClose)
    socket.on('readable', onReadable)
    socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  })
}

/** Why the proxy could not be reached. */
export function unreachableProxy(error: unknown): UpstreamProxyError {
  return new UpstreamProxyError(`the proxy in \`upstream.proxy\` could not be reached (${codeOf(error)})`, {
    cause: error,
  })
}

/** Null for a connection that was made. */
function refusalOf(head: string, { credential }: UpstreamProxy): string | null {
  const status = Number(/^HTTP\/1\.[01] ([1-5]\d\d)(?: |\r|$)/.exec(head)?.[1] ?? NaN)
  if (Number.isNaN(status)) return 'did not answer with HTTP'
  if (status >= 200 && status <= 299) return null
  if (status === 407) {
    const schemes = [...head.matchAll(/^proxy-authenticate:[ \t]*([A-Za-z]+)/gim)].map(
      ([, scheme = '']) => scheme,
    )
    const offersBasic = schemes.some((scheme) => scheme.toLowerCase() === 'basic')
    if (schemes.length > 0 && !offersBasic)
      return `wants ${[...new Set(schemes)].join(' or ')} authentication (407), and the gateway has Basic only`
    if (credential === null)
      return 'asks for credentials (407); add a user and a password to `upstream.proxy`'
  }
  return `${REFUSALS[status] ?? 'refused the connection'} (${String(status)})`
}
