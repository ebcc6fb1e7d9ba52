import { chmodSync, mkdirSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { dirname } from 'node:path'
import { admit, type TcpAccess } from './access.js'
import { readBody } from './body.js'
import { peerUser, UNKNOWN_USER } from './peer-user.js'
import { errorResponse, json, type AdminError, type AdminResponse, type AdminRoute } from './route.js'
import { Router } from './router.js'

/** Far more than the headers of a browser or of Prometheus. */
const MAX_HEAD_BYTES = 8_192

const MAX_HEADERS = 64

/** An operator, a page or two, scrapes, health checks. Others wait until one of them closes. */
const MAX_CONNECTIONS = 64

/** Milliseconds in which a head and a whole request must arrive. The answer may take longer: a reload reads all secrets again. */
const HEAD_MS = 5_000
const REQUEST_MS = 10_000

/** Milliseconds after which an idle connection is closed: longer than the interval of most scrapes. */
const IDLE_MS = 20_000

/** Where a listener listens for TCP. */
export interface TcpOptions extends TcpAccess {
  readonly host: string
  /** 0 for any free one. */
  readonly port: number
  /** Whether a connection comes from the network of a sandbox. It is closed before a byte of it is read. */
  readonly isSandbox: (peer: { readonly address: string; readonly localAddress: string }) => boolean
}

export interface ServedRoutes {
  readonly routes: readonly AdminRoute[]
  /** Bugs, for the program's log. */
  readonly fail: (error: unknown) => void
}

export interface ListenerOptions extends ServedRoutes {
  /** Path of the Unix socket. Its directory belongs to the gateway's user alone. */
  readonly socket: string
  /** Null for no TCP. */
  readonly tcp: TcpOptions | null
}

export interface AdminListener {
  /** Of TCP; null without. */
  readonly port: number | null
  close(): void
}

/**
 * Serves the admin listener. The Unix socket is in a directory that no sandbox sees; TCP needs the token, and is never served to
 * a sandbox's network.
 */
export async function serveAdmin({ routes, socket, tcp, fail }: ListenerOptions): Promise<AdminListener> {
  const router = new Router(routes)
  const local = serverOf(router, null, fail)
  mkdirSync(dirname(socket), { recursive: true, mode: 0o700 })
  // Left by a gateway that was killed.
  rmSync(socket, { force: true })
  await listening(local, { path: socket })
  chmodSync(socket, 0o600)
  const servers = [local]
  let port: number | null = null
  if (tcp !== null) {
    const remote = serverOf(router, tcp, fail)
    servers.push(remote)
    remote.prependListener('connection', (peer: Socket) => {
      const { remoteAddress: address, localAddress } = peer
      if (address === undefined || localAddress === undefined || tcp.isSandbox({ address, localAddress }))
        peer.destroy()
    })
    await listening(remote, { host: tcp.host, port: tcp.port })
    port = (remote.address() as AddressInfo).port
  }
  return {
    port,
    close() {
      for (const server of servers) {
        server.close()
        server.closeAllConnections()
      }
    },
  }
}

/** Serves connections of a Unix socket that somebody else accepts. */
export function connectionHandler({ routes, fail }: ServedRoutes): (connection: Socket) => void {
  const server = serverOf(new Router(routes), null, fail)
  return (connection) => void server.emit('connection', connection)
}

function serverOf(router: Router, tcp: TcpOptions | null, fail: (error: unknown) => void): Server {
  const limits = {
    maxHeaderSize: MAX_HEAD_BYTES,
    headersTimeout: HEAD_MS,
    requestTimeout: REQUEST_MS,
    keepAliveTimeout: IDLE_MS,
    connectionsCheckingInterval: 1_000,
    insecureHTTPParser: false,
    requireHostHeader: true,
  }
  const server = createServer(limits, (request, response) => {
    void answer(request, response, router, tcp).catch((error: unknown) => {
      fail(error)
      response.destroy()
    })
  })
  server.maxHeadersCount = MAX_HEADERS
  server.maxConnections = MAX_CONNECTIONS
  return server

  async function answer(
    request: IncomingMessage,
    response: ServerResponse,
    table: Router,
    access: TcpAccess | null,
  ): Promise<void> {
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    await send(response, await respond(request, table, access, gone.signal, fail), gone.signal)
  }
}

function listening(server: Server, where: { path: string } | { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(where, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

async function respond(
  request: IncomingMessage,
  router: Router,
  tcp: TcpAccess | null,
  signal: AbortSignal,
  fail: (error: unknown) => void,
): Promise<AdminResponse> {
  const { method = '', url = '', headers } = request
  const [path = '', query = ''] = url.split(/\?(.*)/s)
  const found = router.find(method, path)
  const admission = admit(headers, tcp, 'route' in found && found.route.isPublic === true)
  if ('status' in admission) return denial(admission.status, admission.problem)
  if (!('route' in found)) {
    if (found.allow.length === 0) return denial(404, `There is no ${path} here`)
    return {
      ...denial(405, `${path} takes ${found.allow.join(', ')}`),
      headers: { allow: found.allow.join(', ') },
    }
  }
  const body = await readBody(request)
  if (body === 'too large') return denial(413, 'The body is too large')
  if (body === 'not JSON') return denial(400, 'The body is not JSON')
  const { route, params } = found
  const { access } = admission
  try {
    const user = () => (tcp === null ? peerUser(request.socket) : Promise.resolve(UNKNOWN_USER))
    const asked = { params, query: new URLSearchParams(query), body: body.value }
    return await route.handle({ ...asked, access, user, signal })
  } catch (error) {
    const answer = errorResponse(error)
    if (answer.status === 500) fail(error)
    return answer
  }
}

/** A request that no handler sees. */
function denial(status: number, problem: string): AdminResponse {
  const fix = 'See `egress help` and docs/operating.md'
  const error: AdminError = { error: { code: 'EGRESS_ADMIN', problem, fix, exit_code: 2 } }
  const answer = json(error, status)
  return status === 401 ? { ...answer, headers: { 'www-authenticate': 'Bearer realm="egress"' } } : answer
}

async function send(
  response: ServerResponse,
  { status, type, body, headers }: AdminResponse,
  signal: AbortSignal,
): Promise<void> {
  const whole = typeof body === 'string' || body instanceof Uint8Array
  response.writeHead(status, {
    'content-type': type,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...headers,
    ...(whole && { 'content-length': Buffer.byteLength(body) }),
    // What is left of a body that nobody read would be taken for the next request.
    ...(status === 413 && { connection: 'close' }),
  })
  if (whole) {
    response.end(body)
    return
  }
  response.flushHeaders()
  for await (const part of body) {
    if (signal.aborted) break
    if (!response.write(part)) await drained(response, signal)
  }
  response.end()
}

/** Also resolves when the client is gone. */
function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done)
      signal.removeEventListener('abort', done)
      resolve()
    }
    response.on('drain', done)
    signal.addEventListener('abort', done)
    if (signal.aborted) done()
  })
}
