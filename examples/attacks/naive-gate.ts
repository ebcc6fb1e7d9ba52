import { once } from 'node:events'
import { createServer as createHttp, type IncomingMessage, type ServerResponse } from 'node:http'
import { request as httpsRequest, type RequestOptions } from 'node:https'
import { connect, type AddressInfo, type Server, type Socket } from 'node:net'
import { createServer as createTls } from 'node:tls'
import { NAMES } from '../demo/names.js'
import type { Secrets } from '../demo/secrets.js'
import type { Identity } from '../stand-ins/certificate-authority.js'
import type { Ports } from '../stand-ins/messages.js'
import type { Brief } from './brief.js'

/**
 * What the product is not: a gate that puts credentials in and sends whatever it is asked to wherever it is asked to.
 * The attacks are tried against it, to see that they work and that their judges notice.
 */
export interface NaiveGate {
  readonly doors: Brief['doors']
  close(): Promise<void>
}

/** Options of a request to an upstream: its port, and its credential as headers. */
type Upstream = Pick<RequestOptions, 'port'> & { readonly headers: Readonly<Record<string, string>> }

export async function startNaiveGate(identity: Identity, ports: Ports, secrets: Secrets): Promise<NaiveGate> {
  const reach = upstreamsOf(ports, secrets)
  const http = createHttp({ insecureHTTPParser: true }, (request, response) => {
    forward(request, response, reach)
  })
  const tls = createTls(identity, (socket) => http.emit('connection', socket))
  http.on('upgrade', (request: IncomingMessage, socket: Socket) => {
    passUpgrade(request, socket, reach)
  })
  http.on('connect', (request: IncomingMessage, socket: Socket) => {
    socket.write('HTTP/1.1 200 OK\r\n\r\n')
    if (request.url === `${NAMES.tunnel}:443`) {
      const upstream = connect(ports.echo, '127.0.0.1')
      socket.on('error', () => upstream.destroy())
      upstream.on('error', () => socket.destroy())
      socket.pipe(upstream).pipe(socket)
    } else if (request.url?.endsWith(':443') === true) tls.emit('connection', socket)
    else http.emit('connection', socket)
  })
  tls.on('tlsClientError', () => undefined)
  const [plain, secured] = await Promise.all([listen(http), listen(tls)])
  return {
    doors: {
      dns: { host: '127.0.0.1', port: ports.attackerDns },
      ...{ http: plain, proxy: plain, routes: plain, https: secured },
    },
    close: async () => {
      http.close()
      tls.close()
      http.closeAllConnections()
      await Promise.all([once(http, 'close'), once(tls, 'close')])
    },
  }
}

function upstreamsOf(ports: Ports, secrets: Secrets): (host: string) => Upstream {
  const bearer = (token: string): Upstream['headers'] => ({ authorization: `Bearer ${token}` })
  const known: Readonly<Record<string, Upstream>> = {
    [NAMES.jira]: { port: ports.jira, headers: bearer(secrets.JIRA_TOKEN) },
    [NAMES.llm]: { port: ports.llm, headers: { 'x-api-key': secrets.LLM_API_KEY } },
    [NAMES.echo]: { port: ports.echo, headers: bearer(secrets.ECHO_TOKEN) },
    [NAMES.assets]: { port: ports.echo, headers: {} },
    [NAMES.impostor]: { port: ports.attacker, headers: bearer(secrets.ECHO_TOKEN) },
  }
  return (host) => known[host] ?? { port: ports.attacker, headers: {} }
}

function forward(
  request: IncomingMessage,
  response: ServerResponse,
  reach: (host: string) => Upstream,
): void {
  const outgoing = ask(request, reach)
  outgoing.on('information', ({ headers }) => {
    response.writeEarlyHints({
      link: '</a>; rel=preload',
      'x-echo-hint': String(headers['x-echo-hint'] ?? ''),
    })
  })
  outgoing.once('error', () => response.destroy())
  outgoing.once('response', (incoming) => {
    response.writeHead(incoming.statusCode ?? 502, incoming.statusMessage, incoming.rawHeaders)
    incoming.once('end', () => {
      response.addTrailers(incoming.trailers as Record<string, string>)
    })
    incoming.pipe(response)
  })
  request.pipe(outgoing)
}

function passUpgrade(request: IncomingMessage, socket: Socket, reach: (host: string) => Upstream): void {
  const outgoing = ask(request, reach)
  socket.on('error', () => outgoing.destroy())
  outgoing.once('error', () => socket.destroy())
  outgoing.once('upgrade', ({ rawHeaders }, upstream: Socket, head: Buffer) => {
    const names = rawHeaders.filter((_, index) => index % 2 === 0)
    const lines = names.map((name, index) => `${name}: ${rawHeaders[2 * index + 1] ?? ''}`)
    socket.write(`${['HTTP/1.1 101 Switching Protocols', ...lines].join('\r\n')}\r\n\r\n`)
    socket.write(head)
    socket.pipe(upstream).pipe(socket)
    upstream.on('error', () => socket.destroy())
  })
  outgoing.end()
}

/** The destination by whatever the request says: target, routes prefix, X-Sandbox-Target, Host. */
function ask(request: IncomingMessage, reach: (host: string) => Upstream): ReturnType<typeof httpsRequest> {
  const { url = '/', method } = request
  const route = /^\/(jira|attacker)(\/.*)$/.exec(url)
  const absolute = /^[a-z]+:\/\/([^/]*)(\/.*)?$/.exec(url)
  const target = request.headers['x-sandbox-target']
  const host =
    absolute?.[1] ?? (route === null ? request.headers.host : `${route[1] ?? ''}.demo.example`) ?? ''
  const { port, headers } = reach(target === undefined ? host : 'elsewhere')
  return httpsRequest({
    ...{ host: '127.0.0.1', port, method, path: absolute?.[2] ?? route?.[2] ?? url },
    ...{ rejectUnauthorized: false, agent: false, setHost: false },
    headers: { ...request.headers, ...headers },
  })
}

async function listen(server: Server): Promise<{ host: string; port: number }> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
}
