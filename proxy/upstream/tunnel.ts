import type { Socket } from 'node:net'
import { pipeline } from 'node:stream'
import type { HttpLimits } from '#firewall/contracts/policy.js'
import type { HttpClose } from '../contracts/events.js'
import { codeOf } from '../contracts/errors.js'
import { DialAborted, dialTcp } from './dial.js'
import { detailOf, reasonOf } from './failures.js'
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
  const gone = new AbortController()
  const onGone = () => gone.abort(new DialAborted())
  client.once('close', onGone)
  // Nobody is dialled for a client that is gone.
  if (client.destroyed) onGone()
  try {
    const socket = await dialTcp(upstream, { timeoutMs: limits.connectTimeoutMs, signal: gone.signal })
    client.off('close', onGone)
    return await join(client, socket, limits.idleTimeoutMs)
  } catch (error) {
    const reason = gone.signal.aborted ? 'client-abort' : reasonOf(error)
    client.destroy()
    return { outcome: 'failure', reason, detail: detailOf(error), requestBytes: 0, responseBytes: 0 }
  }
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
