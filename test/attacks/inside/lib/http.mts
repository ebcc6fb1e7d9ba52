import { connect, isIP, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { once } from 'node:events'
import type { Endpoint } from '../../brief.js'
import type { ForwardResult } from './attempt.mjs'

/** Milliseconds of silence after which an exchange counts as over. */
const GRACE_MS = 1500

/** Bytes of a response that are worth looking at. */
const MAX_RESPONSE = 262_144

/** Opens a TCP connection, which an attack fills by hand: clients would repair what it wants to get wrong. */
export async function openTcp({ host, port }: Endpoint): Promise<Socket> {
  const socket = connect({ host, port })
  socket.setTimeout(GRACE_MS, () => socket.destroy(new Error('silence')))
  await once(socket, 'connect')
  return socket
}

/** Speaks TLS on a connection; null and addresses send no SNI (RFC 6066 section 3). Certificates are the policy engine's business, not the attacker's. */
export async function openTls(
  socket: Socket,
  servername: string | null,
  options: ConnectionOptions = { rejectUnauthorized: false },
): Promise<TLSSocket> {
  const secured = connectTls({
    ...options,
    socket,
    ...(servername === null || isIP(servername) !== 0 ? {} : { servername }),
  })
  await once(secured, 'secureConnect')
  return secured
}

/** Asks a proxy for a tunnel. Rejects when it refuses. */
export async function openTunnel(proxy: Endpoint, target: string, hostHeader = target): Promise<Socket> {
  const socket = await openTcp(proxy)
  socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${hostHeader}\r\n\r\n`)
  const [head] = (await once(socket, 'data')) as [Buffer]
  const line = statusLine(head)
  if (!/^HTTP\/1\.1 2/.test(line)) {
    socket.destroy()
    throw new Error(`CONNECT answered ${line}`)
  }
  return socket
}

/** Writes bytes, reads until the other side closes or falls silent, and tells success by the status. */
export async function exchange(socket: Socket, request: string | Buffer): Promise<ForwardResult> {
  const chunks: Buffer[] = []
  let length = 0
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    length += chunk.length
    if (length > MAX_RESPONSE) socket.destroy()
  })
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => {
      resolve()
    })
    socket.once('error', () => {
      resolve()
    })
  })
  socket.write(request)
  await closed
  const bytes = Buffer.concat(chunks)
  const said = length === 0 ? 'closed without an answer' : statusLine(bytes)
  return { reached: / 2\d\d( |$)/.test(said), said, bytes }
}

/** An ordinary GET as bytes. */
export function get(host: string, path: string, extra: readonly string[] = []): string {
  return [`GET ${path} HTTP/1.1`, `Host: ${host}`, 'Connection: close', ...extra, '', ''].join('\r\n')
}

/** GET over TLS at the transparent listener, as a client does that was sent there by DNS. */
export async function getByTls(
  listener: Endpoint,
  host: string,
  path: string,
  extra: readonly string[] = [],
): Promise<ForwardResult> {
  return exchange(await openTls(await openTcp(listener), host), get(host, path, extra))
}

function statusLine(bytes: Buffer): string {
  const line = bytes.subarray(0, 200).toString('latin1').split('\r\n')[0] ?? ''
  const reason = /"reason":"([a-z-]+)"/.exec(bytes.toString('latin1'))?.[1]
  return reason === undefined ? line : `${line} (${reason})`
}
