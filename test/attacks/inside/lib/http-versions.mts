import {
  connect,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
} from 'node:http2'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Endpoint, InsideRow } from '../../brief.js'
import type { ForwardResult } from './attempt.mjs'
import { ANSWER_MS, exchange, MAX_RESPONSE, openTcp, openTls, statusLine } from './http.mjs'

/** A request, whatever version of HTTP carries it. */
export interface HttpRequest {
  readonly host: string
  readonly path: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

export interface HttpVersion {
  /** What TLS negotiates; null for nothing. */
  readonly alpn: readonly string[] | null
  /** Sends a request on a connection, and ends both. */
  ask(socket: Socket, request: HttpRequest): Promise<ForwardResult>
}

export const HTTP1: HttpVersion = { alpn: null, ask: askHttp1 }
export const HTTP2: HttpVersion = { alpn: ['h2'], ask: askHttp2 }

/** TLS for a version, with the server name of the client's choice; see `openTls`. */
export function secure(socket: Socket, servername: string | null, version: HttpVersion): Promise<TLSSocket> {
  const alpn = version.alpn === null ? {} : { ALPNProtocols: [...version.alpn] }
  return openTls(socket, servername, { rejectUnauthorized: false, ...alpn })
}

/** GET over TLS at the transparent listener, like a client that DNS led there. */
export async function askByTls(
  version: HttpVersion,
  listener: Endpoint,
  request: HttpRequest,
): Promise<ForwardResult> {
  return version.ask(await secure(await openTcp(listener), request.host, version), request)
}

/** Rows for both versions; the ids of those over HTTP/2 end with `-h2`. */
export function overBoth(
  rowsOf: (version: HttpVersion) => Readonly<Record<string, InsideRow>>,
): Record<string, InsideRow> {
  const http2 = Object.entries(rowsOf(HTTP2)).map(([id, row]) => [`${id}-h2`, row] as const)
  return { ...rowsOf(HTTP1), ...Object.fromEntries(http2) }
}

function askHttp1(socket: Socket, request: HttpRequest): Promise<ForwardResult> {
  const { host, path, method = 'GET', headers = {}, body = null } = request
  const head = [
    `${method} ${path} HTTP/1.1`,
    `Host: ${host}`,
    'Connection: close',
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ...(body === null ? [] : [`Content-Length: ${String(body.length)}`]),
  ]
  return exchange(socket, [...head, '', body ?? ''].join('\r\n'))
}

async function askHttp2(socket: Socket, request: HttpRequest): Promise<ForwardResult> {
  const { host, path, method = 'GET', headers = {}, body = null } = request
  const session = openSession(socket)
  const target = { ':method': method, ':scheme': schemeOf(socket), ':authority': host, ':path': path }
  try {
    return await answerOf(session.request({ ...target, ...headers }, { endStream: body === null }), body)
  } finally {
    session.destroy()
  }
}

/** A session on a connection whose client knows, or has negotiated, HTTP/2. */
export function openSession(socket: Socket): ClientHttp2Session {
  if (socket instanceof TLSSocket && socket.alpnProtocol !== 'h2') {
    socket.destroy()
    throw new Error(`TLS negotiated ${String(socket.alpnProtocol)} instead of h2`)
  }
  const session = connect('http://unused.example', { createConnection: () => socket })
  // Each stream reports it.
  session.on('error', () => undefined)
  return session
}

export function schemeOf(socket: Socket): 'http' | 'https' {
  return socket instanceof TLSSocket ? 'https' : 'http'
}

/** Everything that a client sees of a response, as lines: status, headers, interim responses, trailers, body. */
export function answerOf(
  stream: ClientHttp2Stream,
  body: string | Buffer | null = null,
): Promise<ForwardResult> {
  return new Promise((resolve) => {
    let head = ''
    let others = ''
    const chunks: Buffer[] = []
    let length = 0
    let ended = 'closed without an answer'
    stream.setTimeout(ANSWER_MS, () => stream.close())
    stream.on('headers', (fields) => (others += linesOf(fields)))
    stream.on('response', (fields) => (head = `HTTP/2 ${String(fields[':status'])}\r\n${linesOf(fields)}`))
    stream.on('trailers', (fields: IncomingHttpHeaders) => (others += linesOf(fields)))
    stream.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      length += chunk.length
      if (length > MAX_RESPONSE) stream.close()
    })
    stream.on('error', (error: Error) => (ended = error.message))
    stream.on('close', () => {
      const bytes = Buffer.concat([Buffer.from(`${head}${others}\r\n`, 'latin1'), ...chunks])
      const said = head === '' ? ended : statusLine(bytes)
      resolve({ reached: / 2\d\d( |$)/.test(said), said, bytes })
    })
    if (body !== null) stream.end(body)
  })
}

function linesOf(fields: IncomingHttpHeaders): string {
  return Object.entries(fields)
    .flatMap(([name, value]) => [value].flat().map((one) => `${name}: ${String(one)}\r\n`))
    .join('')
}
