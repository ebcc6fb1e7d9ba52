import { isIP, type Socket } from 'node:net'
import type { ReadableOptions } from 'node:stream'
import { connect as connectTls, type ConnectionOptions, type SecureContext, type TLSSocket } from 'node:tls'
import { connectFirst, type Connected } from './connect-first.js'
import { connectThrough, unreachableProxy, UpstreamProxyError } from './connect-through.js'
import type { ResolvedProxy, ResolvedUpstream } from './upstream.js'

export interface DialOptions {
  /** Milliseconds for all of it: every address, TCP and TLS. */
  readonly timeoutMs: number
  /** Ends it early, with the signal's reason as the error. */
  readonly signal?: AbortSignal | undefined
}

export interface TlsDialOptions extends DialOptions {
  /** Protocols to offer (RFC 7301), in order of preference; the socket's `alpnProtocol` is the one that was chosen. */
  readonly alpn: readonly string[]
  /** Where the caller keeps the session for its next connection to the same upstream. */
  readonly session?: TlsSession
}

/** The latest TLS session with one upstream, for one owner: what it was verified with is the same each time. */
export interface TlsSession {
  latest: Buffer | null
}

export class ConnectTimeout extends Error {
  readonly code = 'EGRESS_CONNECT_TIMEOUT'

  constructor(timeoutMs: number) {
    super(`no connection within ${String(timeoutMs / 1000)} s (http.connect_timeout)`)
  }
}

/** A reason to end it early: the client has gone. */
export class DialAborted extends Error {
  readonly code = 'ECONNABORTED'

  constructor() {
    super('the client has gone')
  }
}

/**
 * Connects to an upstream: the only way to one for everything that carries requests. Resolves no name: it dials the checked
 * addresses, all of them if need be, or those of the operator's proxy, and for https verifies the certificate for the checked
 * name before it resolves. Nothing was sent on the socket or read from it.
 *
 *     gateway ── TCP ── TLS, verified for origin.host ──▶ one of upstream.addresses
 *     gateway ── TCP, CONNECT ──▶ proxy ── TLS, verified for origin.host ──▶ upstream
 *
 * @throws an error whose code `reasonOf` understands
 */
export async function dial(upstream: ResolvedUpstream, options: TlsDialOptions): Promise<Socket> {
  const { origin, authorities, ca, clientCertificate } = upstream
  if (origin.scheme === 'http') return dialTcp(upstream, options)
  return within(options, async (signal) => {
    let addresses = upstream.addresses
    for (;;) {
      const { socket, rest } = await connect(upstream, addresses, signal)
      try {
        const { alpn, session } = options
        const secureContext = authorities.contextFor(ca, clientCertificate)
        return await startTls(socket, { servername: origin.host, secureContext, alpn, session }, signal)
      } catch (error) {
        // One server of several that is broken is passed over, like one that does not answer.
        if (rest.length === 0 || signal.aborted) throw error
        addresses = rest
      }
    }
  })
}

/** The same without TLS of the gateway's own, for a tunnel: what passes through it is verified by the client. */
export function dialTcp(upstream: ResolvedUpstream, options: DialOptions): Promise<Socket> {
  return within(options, async (signal) => (await connect(upstream, upstream.addresses, signal)).socket)
}

type Reached = Pick<Connected, 'socket' | 'rest'>

/** To one of these addresses, or through the proxy, which has an address for the upstream itself. */
async function connect(
  { via, port, authorities }: ResolvedUpstream,
  addresses: readonly string[],
  signal: AbortSignal,
): Promise<Reached> {
  if (via === null) return connectFirst(addresses, port, signal)
  return { socket: await connectVia(via, port, authorities.contextFor(null, null), signal), rest: [] }
}

/**
 * To a port of the proxy's target, by the proxy.
 *
 * @param secureContext with which a proxy that speaks TLS itself is verified; undefined for the public authorities
 */
export async function connectVia(
  via: ResolvedProxy,
  port: number,
  secureContext: SecureContext | undefined,
  signal: AbortSignal,
): Promise<Socket> {
  const { proxy } = via
  try {
    const { socket } = await connectFirst(via.addresses, proxy.port, signal)
    const toProxy =
      proxy.scheme === 'http'
        ? socket
        : await startTls(socket, { servername: proxy.host, secureContext, alpn: ['http/1.1'] }, signal)
    return await connectThrough(toProxy, via, port, signal)
  } catch (error) {
    if (signal.aborted || error instanceof UpstreamProxyError) throw error
    throw unreachableProxy(error)
  }
}

interface TlsParts {
  readonly servername: string
  readonly secureContext: SecureContext | undefined
  readonly alpn: readonly string[]
  readonly session?: TlsSession | undefined
}

function startTls(
  socket: Socket,
  { servername, secureContext, alpn, session }: TlsParts,
  signal: AbortSignal,
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const options: ConnectionOptions & ReadableOptions = {
      socket,
      // For an address there is no SNI (RFC 6066 section 3), and the certificate must name it.
      ...(isIP(servername) === 0 ? { servername } : { host: servername }),
      ALPNProtocols: [...alpn],
      rejectUnauthorized: true,
      // A TLS record has no more.
      highWaterMark: 16_384,
      ...(secureContext === undefined ? {} : { secureContext }),
      ...(session?.latest == null ? {} : { session: session.latest }),
    }
    const tls = connectTls(options)
    const fail = (error: Error) => {
      signal.removeEventListener('abort', onAbort)
      tls.destroy()
      socket.destroy()
      reject(error)
    }
    const onAbort = () => fail(signal.reason as Error)
    signal.addEventListener('abort', onAbort)
    if (session !== undefined) tls.on('session', (latest) => (session.latest = latest))
    tls.on('error', fail)
    tls.once('secureConnect', () => {
      signal.removeEventListener('abort', onAbort)
      resolve(tls)
    })
  })
}

/** Runs it with a signal that ends it at its deadline, or when the caller says so. */
async function within<T>(
  { timeoutMs, signal }: DialOptions,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const ending = new AbortController()
  const onAbort = () => ending.abort(signal?.reason)
  const timer = setTimeout(() => ending.abort(new ConnectTimeout(timeoutMs)), timeoutMs)
  signal?.addEventListener('abort', onAbort)
  if (signal?.aborted === true) onAbort()
  try {
    return await run(ending.signal)
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  }
}
