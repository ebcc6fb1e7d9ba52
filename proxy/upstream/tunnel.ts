import { connect, type Socket } from 'node:net'
import { pipeline } from 'node:stream'
import type { HttpLimits } from '#firewall/contracts/policy.js'
import type { HttpClose } from '../contracts/events.js'
import { codeOf } from '../contracts/errors.js'
import type { ResolvedUpstream } from './upstream.js'

export type TunnelEnd = Pick<HttpClose, 'outcome' | 'reason' | 'detail' | 'requestBytes' | 'responseBytes'>

/**
 * Passes a TLS connection through unread, to a pinned address. Never rejects; both sockets are closed when it resolves.
 *
 *     sandbox ═══ TLS, end to end ═══ gateway ═══ TLS, end to end ═══ upstream
 */
export async function passThrough(
  client: Socket,
  upstream: ResolvedUpstream,
  limits: HttpLimits,
): Promise<TunnelEnd> {
  let failure = 'unknown'
  for (const address of upstream.addresses) {
    if (client.destroyed) break
    const dialled = await dial(client, address, upstream.port, limits.connectTimeoutMs)
    if (typeof dialled === 'string') failure = dialled
    else return join(client, dialled, limits.idleTimeoutMs)
  }
  const reason = client.destroyed ? 'client-abort' : 'upstream-unreachable'
  client.destroy()
  return {
    outcome: 'failure',
    reason,
    detail: failure,
    requestBytes: 0,
    responseBytes: 0,
  }
}

/** A connected socket, or the code of the failure; nobody is dialled for a client that is gone. */
export function dial(
  client: Socket,
  address: string,
  port: number,
  timeoutMs: number,
): Promise<Socket | string> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, noDelay: true })
    const abandon = (code: string) => socket.destroy(Object.assign(new Error(), { code }))
    const timer = setTimeout(() => abandon('ETIMEDOUT'), timeoutMs)
    const onGone = () => abandon('ECONNABORTED')
    client.once('close', onGone)
    const settle = (result: Socket | string) => {
      clearTimeout(timer)
      client.off('close', onGone)
      resolve(result)
    }
    socket.once('connect', () => {
      socket.removeAllListeners('error')
      settle(socket)
    })
    socket.once('error', (error) => settle(codeOf(error)))
  })
}

function join(client: Socket, upstream: Socket, idleMs: number): Promise<TunnelEnd> {
  return new Promise((resolve) => {
    const cut = () => client.destroy()
    client.setTimeout(idleMs, cut)
    upstream.setTimeout(idleMs, cut)
    let open = 2
    const end = (error: NodeJS.ErrnoException | null | undefined) => {
      open -= 1
      if (error != null) {
        client.destroy()
        upstream.destroy()
      }
      if (open > 0) return
      resolve({
        outcome: 'success',
        reason: null,
        detail: error == null ? null : codeOf(error),
        requestBytes: upstream.bytesWritten,
        responseBytes: upstream.bytesRead,
      })
    }
    pipeline(client, upstream, end)
    pipeline(upstream, client, end)
  })
}
