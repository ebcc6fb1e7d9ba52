import { once } from 'node:events'
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net'
import { connect as connectTls, createServer as createTls } from 'node:tls'
import { NAMES } from '../demo/names.js'
import type { Secrets } from '../demo/secrets.js'
import type { Identity } from '../servers/certificate-authority.js'
import type { Ports } from '../servers/messages.js'
import type { Brief } from './brief.js'
import { isHttp2, serveHttp2, type Upstream } from './naive-http2.js'

/**
 * The opposite of the product: a gateway that injects a credential and forwards bytes to any destination. The attacks run
 * against it, to prove that they work and that their checks notice.
 */
export interface NaiveGateway {
  readonly listeners: Brief['listeners']
  close(): Promise<void>
}

export async function startNaiveGateway(
  identity: Identity,
  ports: Ports,
  secrets: Secrets,
): Promise<NaiveGateway> {
  const reach = upstreamsOf(ports, secrets)
  const open = new Set<Socket>()
  const secured = createTls({ ...identity, ALPNProtocols: ['h2', 'http/1.1'] }, (socket) => {
    serve(socket, reach, secured)
  })
  secured.on('tlsClientError', () => undefined)
  const plain = createServer((socket) => {
    serve(socket, reach, secured)
  })
  for (const server of [secured, plain]) server.on('connection', (socket: Socket) => open.add(socket))
  const [http, https] = await Promise.all([listen(plain), listen(secured)])
  const dns = { host: '127.0.0.1', port: ports.attackerDns }
  return {
    listeners: { dns, http, https, proxy: http, reverse: http },
    close: async () => {
      plain.close()
      secured.close()
      for (const socket of open) socket.destroy()
      await Promise.all([once(plain, 'close'), once(secured, 'close')])
    },
  }
}

function upstreamsOf(ports: Ports, secrets: Secrets): (host: string) => Upstream {
  const bearer = (token: string): string => `authorization: Bearer ${token}`
  const known: Readonly<Record<string, Upstream>> = {
    [NAMES.jira]: { port: ports.jira, credential: bearer(secrets.JIRA_TOKEN) },
    [NAMES.llm]: { port: ports.llm, credential: `x-api-key: ${secrets.LLM_API_KEY}` },
    [NAMES.echo]: { port: ports.echo, credential: bearer(secrets.ECHO_TOKEN) },
    [NAMES.assets]: { port: ports.echo, credential: 'x-no: credential' },
    [NAMES.tunnel]: { port: ports.echo, credential: 'x-no: credential' },
    [NAMES.impostor]: { port: ports.attacker, credential: bearer(secrets.ECHO_TOKEN) },
  }
  return (host) => known[host] ?? { port: ports.attacker, credential: 'x-no: credential' }
}

/** Reads the first chunk of the head, then only forwards bytes. */
function serve(socket: Socket, reach: (host: string) => Upstream, secured: Server): void {
  const reachFrom = (host: string, path: string) => {
    const to = destinationOf(`GET ${path} HTTP/1.1\r\nhost: ${host}\r\n`)
    return { ...reach(to.host), ...to }
  }
  socket.on('error', () => socket.destroy())
  socket.once('data', (first: Buffer) => {
    if (isHttp2(first)) {
      serveHttp2(socket, first, reachFrom)
      return
    }
    const text = first.toString('latin1')
    const target = /^CONNECT (\S+)/.exec(text)?.[1]
    if (target !== undefined) {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      tunnel(socket, target, reach, secured)
      return
    }
    const { host, path } = destinationOf(text)
    const { port, credential } = reach(host)
    const upstream = connectTls({
      host: '127.0.0.1',
      port,
      servername: /^[a-z][a-z.]*[a-z]$/.exec(host)?.[0] ?? 'localhost',
      rejectUnauthorized: false,
    })
    const head = text
      .replace(/^(\S+) (\S+)/, (_, method: string) => `${method} ${path}`)
      .replace(/\r\nauthorization:[^\r]*/i, '')
      .replace('\r\n', `\r\n${credential}\r\n`)
    upstream.write(head, 'latin1')
    join(socket, upstream)
  })
}

function tunnel(socket: Socket, target: string, reach: (host: string) => Upstream, secured: Server): void {
  const host = target.replace(/:443$/, '')
  if (host === NAMES.tunnel || host.includes(':')) join(socket, connect(reach(host).port, '127.0.0.1'))
  else secured.emit('connection', socket)
}

function join(socket: Socket, upstream: Socket): void {
  upstream.on('error', () => socket.destroy())
  socket.once('close', () => upstream.destroy())
  socket.pipe(upstream).pipe(socket)
}

/** The destination that the request names, from its target if possible. */
function destinationOf(head: string): { host: string; path: string } {
  const url = head.split(' ')[1] ?? '/'
  const absolute = /^[a-z]+:\/\/([^/]*)(\/.*)?$/.exec(url)
  const route = /^\/jira(\/rest.*)$/.exec(url)
  const header = /^host: (.*)\r$/im.exec(head)?.[1] ?? ''
  if (/^x-sandbox-target:/im.test(head)) return { host: 'elsewhere', path: url }
  if (absolute !== null) return { host: absolute[1] ?? '', path: absolute[2] ?? '/' }
  return route === null ? { host: header, path: url } : { host: NAMES.jira, path: route[1] ?? '/' }
}

async function listen(server: Server): Promise<{ host: string; port: number }> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
}
