import { createServer as createHttpServer, Agent } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import { createProxyServer } from 'http-proxy'
import { policyOf } from './bench-policy.js'
import { listen, portOf, serveGateway } from './gateway.js'
import { tellStarter } from './processes.js'

// The servers of `bench:http`, each in its own process: node http-servers.js upstream | gateway PORT | serve PORT |
// serve-tls PORT AUTHORITY | http-proxy PORT

/** The size of a small JSON response. */
const BODY_BYTES = 1024

/** Sends the same bytes for every request, so that the proxies are the bottleneck, not this server. */
async function serveUpstream(): Promise<number> {
  const head =
    'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n' +
    `Content-Length: ${String(BODY_BYTES)}\r\nConnection: keep-alive\r\n\r\n`
  const answer = Buffer.from(head + 'x'.repeat(BODY_BYTES))
  const server = createTcpServer({ noDelay: true }, (socket) => {
    let open = ''
    socket.on('error', () => socket.destroy())
    socket.on('data', (chunk: Buffer) => {
      // The requests have no bodies, so each ends with an empty line.
      const parts = (open + chunk.toString('latin1')).split('\r\n\r\n')
      open = parts.pop() ?? ''
      for (let i = 0; i < parts.length; i += 1) socket.write(answer)
    })
  })
  await listen(server)
  return portOf(server)
}

const ENV = { API_TOKEN: 'ghp_TokenOfTheBenchmark0123456789abcdefgh' }

async function serveOwnGateway(upstream: string, asServe: boolean): Promise<number> {
  const policy = policyOf('http', Number(upstream), '')
  return (await serveGateway(policy, ENV, 0, asServe)).reverse
}

/** @param authority the path of the PEM file that the upstream is verified with */
async function serveTls(upstream: string, authority: string): Promise<number> {
  return (await serveGateway(policyOf('https', Number(upstream), authority), ENV, 0, true)).https
}

/** The simplest reverse proxy with this library: keep-alive, no checks, no log, no credential. */
async function serveHttpProxy(upstream: string): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: 256 })
  const proxy = createProxyServer({ target: `http://127.0.0.1:${upstream}`, agent })
  proxy.on('error', (error) => console.error('http-proxy:', error.message))
  const server = createHttpServer((request, response) => void proxy.web(request, response))
  await listen(server)
  return portOf(server)
}

const [role = '', upstream = '', authority = ''] = process.argv.slice(2)
const roles: Record<string, (upstream: string, authority: string) => Promise<number>> = {
  upstream: serveUpstream,
  gateway: (upstream) => serveOwnGateway(upstream, false),
  serve: (upstream) => serveOwnGateway(upstream, true),
  'serve-tls': serveTls,
  'http-proxy': serveHttpProxy,
}
tellStarter(await roles[role]?.(upstream, authority))
