import { performServerHandshake, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import { request, type RequestOptions } from 'node:https'
import { connect, type Socket } from 'node:net'

// The naive gateway's HTTP/2: every request becomes one of HTTP/1.1 for wherever its fields say.

export interface Upstream {
  readonly port: number
  /** Header line of its credential. */
  readonly credential: string
}

type Reach = (host: string, path: string) => Upstream & { readonly host: string; readonly path: string }

/** Fields that HTTP/2 does not have (RFC 9113 section 8.2.2). */
const OF_CONNECTIONS = new Set(['connection', 'keep-alive', 'transfer-encoding'])

/** Whether a connection begins with the preface (RFC 9113 section 3.4). */
export function isHttp2(first: Buffer): boolean {
  return first.toString('latin1').startsWith('PRI * HTTP/2.0')
}

export function serveHttp2(socket: Socket, first: Buffer, reach: Reach): void {
  socket.pause()
  socket.unshift(first)
  const session = performServerHandshake(socket, { settings: { enableConnectProtocol: true } })
  session.on('error', () => undefined)
  session.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.on('error', () => undefined)
    if (headers[':method'] === 'CONNECT' && headers[':protocol'] === undefined)
      openTunnel(stream, headers, reach)
    else forward(stream, headers, reach)
  })
}

function openTunnel(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, reach: Reach): void {
  const upstream = connect(reach(headers[':authority'] ?? '', '/').port, '127.0.0.1')
  upstream.on('error', () => stream.close())
  stream.respond({ ':status': 200 })
  stream.pipe(upstream).pipe(stream)
}

function forward(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, reach: Reach): void {
  const outgoing = request(optionsOf(headers, reach))
  outgoing.on('error', () => stream.close())
  outgoing.on('information', ({ statusCode, headers }) =>
    stream.additionalHeaders({ ':status': statusCode, ...headers }),
  )
  outgoing.on('upgrade', (_response, socket: Socket, head: Buffer) => {
    socket.on('error', () => stream.close())
    socket.unshift(head)
    stream.respond({ ':status': 200 })
    stream.pipe(socket).pipe(stream)
  })
  outgoing.on('response', (response) => {
    const fields = Object.entries(response.headers).filter(([name]) => !OF_CONNECTIONS.has(name))
    stream.respond(
      { ':status': response.statusCode, ...Object.fromEntries(fields) },
      { waitForTrailers: true },
    )
    stream.on('wantTrailers', () => stream.sendTrailers(response.trailers))
    response.pipe(stream)
  })
  if (headers[':protocol'] === undefined) stream.pipe(outgoing)
  else outgoing.end()
}

function optionsOf(headers: IncomingHttpHeaders, reach: Reach): RequestOptions {
  const fields = Object.entries(headers).filter(([name]) => !name.startsWith(':') && name !== 'authorization')
  const { port, credential, host, path } = reach(
    headers.host ?? headers[':authority'] ?? '',
    headers[':path'] ?? '/',
  )
  const [name = '', value = ''] = credential.split(': ')
  const upgrade = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
  }
  return {
    ...{ host: '127.0.0.1', port, path, agent: false, rejectUnauthorized: false },
    ...{ method: headers[':protocol'] === undefined ? headers[':method'] : 'GET' },
    servername: /^[a-z][a-z.]*[a-z]$/.exec(host)?.[0] ?? 'localhost',
    headers: {
      ...Object.fromEntries(fields),
      ...{ host, [name]: value },
      ...(headers[':protocol'] === undefined ? {} : upgrade),
    },
  }
}
