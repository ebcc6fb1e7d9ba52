import { request as requestPlain } from 'node:http'
import { request as requestTls } from 'node:https'
import { isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Diagnostic } from '#firewall/contracts/diagnostic.js'
import type { SourceTools, StoreWay } from './source.js'

export interface SourceRequest {
  readonly method: 'GET' | 'POST'
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
  /** PEM of the only CAs that are trusted; null for the public ones. */
  readonly ca: string | null
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /** Connects through the proxy of the operator's network; null to dial the store. */
  readonly connect: ((signal: AbortSignal) => Promise<Socket>) | null
}

/** For a request: the way with what the proxy wants. */
export function connectionOf(
  { connect }: StoreWay,
  valueOf: SourceTools['valueOf'],
): SourceRequest['connect'] {
  return connect === null ? null : (signal) => connect(valueOf, signal)
}

export interface StoreResponse {
  readonly status: number
  /** Undefined if it is not JSON. */
  readonly body: unknown
}

/** Bytes of a response: enough for a secret with all its fields. */
const MAX_RESPONSE = 1_048_576

/**
 * Sends a request to a secret store. The operator chose the address, so it may be private. Redirects are not followed, because
 * they would take the token elsewhere. Errors contain only names and codes.
 */
export async function requestStore(request: SourceRequest): Promise<StoreResponse | Diagnostic> {
  const { url, timeoutMs, connect } = request
  const timeout = AbortSignal.timeout(timeoutMs)
  if (connect === null) return send(request, timeout, null)
  try {
    return await send(request, timeout, await connect(AbortSignal.any([request.signal, timeout])))
  } catch (error) {
    const { code, message } = error as Error & { code?: string }
    // The proxy's own failures say what is wrong with it, and hold nothing that it sent.
    const why = timeout.aborted
      ? `nothing came within ${String(timeoutMs / 1000)} s`
      : code === 'EGRESS_UPSTREAM_PROXY'
        ? message
        : (code ?? 'no code')
    return {
      problem: `No connection to ${url.host} through \`upstream.proxy\`: ${why}`,
      fix: 'Check the proxy, or add the host to `upstream.no_proxy`',
    }
  }
}

function send(
  request: SourceRequest,
  timeout: AbortSignal,
  socket: Socket | null,
): Promise<StoreResponse | Diagnostic> {
  const { url, method, headers, body, ca, timeoutMs, signal } = request
  const fix = `Check that ${url.host} is running, and that its certificate is from a trusted CA (\`ca\`)`
  return new Promise((settle) => {
    const fail = (error: Error & { code?: string }): void => {
      const late = timeout.aborted ? ` within ${timeoutMs / 1000} s` : ` (${error.code ?? 'no code'})`
      settle({ problem: `No response from ${url.host}${late}`, fix })
    }
    const begin = url.protocol === 'http:' ? requestPlain : requestTls
    const sent = begin(
      url,
      {
        method,
        headers: { ...headers, 'accept-encoding': 'identity' },
        signal: AbortSignal.any([signal, timeout]),
        ...(ca === null ? {} : { ca }),
        // One connection for one request.
        ...(socket === null ? { agent: false } : { createConnection: () => secured(socket, url, ca) }),
      },
      (response) => {
        const chunks: Buffer[] = []
        let length = 0
        response.on('data', (chunk: Buffer) => {
          length += chunk.length
          if (length > MAX_RESPONSE) {
            sent.destroy()
            settle({ problem: `The response from ${url.host} is larger than 1 MiB`, fix })
          } else chunks.push(chunk)
        })
        response.on('error', fail)
        response.once('end', () => {
          settle({
            status: response.statusCode ?? 0,
            body: parseJson(Buffer.concat(chunks).toString('utf8')),
          })
        })
      },
    )
    sent.on('error', fail)
    sent.end(body ?? undefined)
  })
}

/** TLS end to end, through what a proxy has connected. */
function secured(socket: Socket, { protocol, hostname }: URL, ca: string | null): Socket {
  if (protocol === 'http:') return socket
  const host = hostname.replace(/^\[|\]$/g, '')
  return connectTls({
    socket,
    ...(isIP(host) === 0 ? { servername: host } : { host }),
    ...(ca === null ? {} : { ca }),
  })
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A field of a value of any type; undefined if it has none of this name. */
export function member(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined
}
