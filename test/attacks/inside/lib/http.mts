import { connect, isIP, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { once } from 'node:events'
import type { Endpoint } from '../../brief.js'
import type { ForwardResult } from './attempt.mjs'

/** Milliseconds in which an answer must begin, on a machine that is busy, too. */
export const ANSWER_MS = 5000

/** Milliseconds without data after which an exchange counts as finished. */
const GRACE_MS = 1500

/** Maximum bytes of a response to check. */
export const MAX_RESPONSE = 262_144

/** Opens a TCP connection for a hand-written request, because clients would correct its deliberate errors. */
export async function openTcp({ host, port }: Endpoint): Promise<Socket> {
  const socket = connect({ host, port })
  socket.setTimeout(ANSWER_MS, () => socket.destroy(new Error('silence')))
  await once(socket, 'connect')
  return socket
}

/** Starts TLS on a connection; null and addresses send no SNI (RFC 6066 section 3). The attack does not verify certificates; its check does. */
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

/** Requests a tunnel from a proxy. Rejects if the proxy denies it. */
export async function openTunnel(proxy: Endpoint, target: string, hostHeader = target): Promise<Socket> {
  const socket = await openTcp(proxy)
  socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${hostHeader}\r\n\r\n`)
  const [head] = (await once(socket, 'data')) as [Buffer]
  const line = statusLine(head)
  if (!/^HTTP\/1\.1 2/.test(line)) {
    socket.destroy()
    throw new Error(`CONNECT got ${line}`)
  }
  return socket
}

/** Writes bytes, reads until the peer closes or stops sending, and takes the status as the result. */
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
  socket.once('data', () => socket.setTimeout(GRACE_MS, () => socket.destroy()))
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

/** GET over TLS at the transparent listener, like a client that DNS led there. */
export async function getByTls(
  listener: Endpoint,
  host: string,
  path: string,
  extra: readonly string[] = [],
): Promise<ForwardResult> {
  return exchange(await openTls(await openTcp(listener), host), get(host, path, extra))
}

/** The first line of a response, and the reason of a denial. */
export function statusLine(bytes: Buffer): string {
  const line = bytes.subarray(0, 200).toString('latin1').split('\r\n')[0] ?? ''
  const reason = /"reason":"([a-z-]+)"/.exec(bytes.toString('latin1'))?.[1]
  return reason === undefined ? line : `${line} (${reason})`
}
