import { createSocket, type Socket } from 'node:dgram'
import { createServer, type Server } from 'node:net'
import { PORTS } from '../common/environment.js'
import { EgressError } from '../common/errors.js'
import type { GatewaySockets } from '../gateway/gateway.js'
import type { DnsSockets } from '../gateway/serve-dns.js'

/**
 * Listen on every address, because the gateway gets a new one with each sandbox network that it joins. Requests from other
 * networks are denied: their peers are not registered.
 */
const ANY = '0.0.0.0'

export async function bindDns(): Promise<DnsSockets> {
  const [dnsUdp, dnsTcp] = await Promise.all([bindUdp(PORTS.dns), bindTcp(PORTS.dns)])
  return { dnsUdp, dnsTcp }
}

export async function bindProxy(): Promise<Omit<GatewaySockets, keyof DnsSockets>> {
  const [http, https, forward, reverse] = await Promise.all([
    bindTcp(PORTS.http),
    bindTcp(PORTS.https),
    bindTcp(PORTS.forward),
    bindTcp(PORTS.reverse),
  ])
  return { http, https, forward, reverse }
}

function bindTcp(port: number): Promise<Server> {
  const server = createServer()
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(inUse(port, error)))
    server.listen({ port, host: ANY, backlog: 511 }, () => resolve(server))
  })
}

function bindUdp(port: number): Promise<Socket> {
  const socket = createSocket('udp4')
  return new Promise((resolve, reject) => {
    socket.once('error', (error) => reject(inUse(port, error)))
    socket.bind(port, ANY, () => resolve(socket))
  })
}

function inUse(port: number, cause: NodeJS.ErrnoException): EgressError {
  return new EgressError({
    code: 'EGRESS_BIND',
    problem: `Cannot listen on port ${String(port)} (${cause.code ?? cause.message})`,
    fix:
      cause.code === 'EADDRINUSE'
        ? `Stop the program that uses it (find it with \`ss -ltnup 'sport = :${String(port)}'\`), or run the gateway in a container`
        : 'Run the gateway in a container or in its own network namespace, where ports below 1024 are available',
    exitCode: 1,
    cause,
  })
}
