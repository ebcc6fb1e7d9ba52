import type { Server, Socket } from 'node:net'
import type { Peer } from '#firewall/contracts/peer.js'
import type { ResolverContext } from '../flow.js'
import { resolveQuery } from '../resolver.js'
import { frame, FrameReader } from './tcp-frames.js'

export interface TcpLimits {
  /** Maximum time from one complete query to the next, in milliseconds. */
  readonly idleMs: number
  /** Maximum connections per sandbox; all unknown clients together count as one. */
  readonly connections: number
}

/**
 * RFC 7766 section 6.2.3 recommends an idle time "on the order of a few seconds", section 6.2.1 one connection per client.
 * 32 leaves room for programs that do not share a connection.
 */
export const DEFAULT_TCP_LIMITS: TcpLimits = { idleMs: 10_000, connections: 32 }

/** Answers on a listening server until it is closed. */
export function serveTcp(
  server: Server,
  context: ResolverContext,
  limits: TcpLimits = DEFAULT_TCP_LIMITS,
): { close(): void } {
  const open = new Map<string, Set<Socket>>()

  const onConnection = (socket: Socket): void => {
    // A reset is harmless, but without a listener it would end the process.
    socket.on('error', () => socket.destroy())
    const peer = peerOf(socket)
    const owner = peer === null ? null : ownerOf(peer, context)
    if (peer === null || owner === null) {
      socket.destroy()
      return
    }
    const sockets = open.get(owner) ?? new Set<Socket>()
    if (sockets.size >= limits.connections) {
      socket.destroy()
      return
    }
    open.set(owner, sockets.add(socket))
    socket.once('close', () => {
      sockets.delete(socket)
      if (sockets.size === 0) open.delete(owner)
    })
    serveConnection(socket, peer, context, limits.idleMs)
  }

  const onError = (error: Error): void => context.fail(error)
  server.on('connection', onConnection)
  server.on('error', onError)
  return {
    close() {
      server.off('connection', onConnection)
      server.close()
      for (const sockets of open.values()) for (const socket of sockets) socket.destroy()
    },
  }
}

/**
 * Answers queries one at a time, in order, and stops reading queries while the client does not read its answers. One timer
 * closes connections that are idle, send a query byte by byte, or never read: only answering a complete query restarts it.
 */
function serveConnection(socket: Socket, peer: Peer, context: ResolverContext, idleMs: number): void {
  const frames = new FrameReader()
  const timer = setTimeout(() => socket.destroy(), idleMs)
  socket.once('close', () => clearTimeout(timer))
  socket.setNoDelay(true)

  /** Answers the next query, then the one after it as soon as the client has accepted the answer. */
  const answerNext = (): void => {
    if (socket.destroyed) return
    const message = frames.next()
    if (message === null) {
      socket.resume()
      return
    }
    socket.pause()
    if (message === 'invalid') {
      socket.destroy()
      return
    }
    resolveQuery(message, peer, 'tcp', context, (response) => {
      // Without an answer, a TCP client would wait for the timer.
      if (response === null) {
        socket.destroy()
        return
      }
      timer.refresh()
      if (socket.write(frame(response))) answerNext()
      else socket.once('drain', answerNext)
    })
  }

  socket.on('data', (chunk: Buffer) => {
    frames.push(chunk)
    answerNext()
  })
  // Needed if the server was created with `allowHalfOpen`.
  socket.on('end', () => socket.end())
}

/** Null if the client has already disconnected, or its address is unknown. */
function peerOf({ remoteAddress, remotePort, localAddress = '' }: Socket): Peer | null {
  if (remoteAddress === undefined || remotePort === undefined) return null
  return { address: remoteAddress, port: remotePort, localAddress }
}

/** Key under which the connection is counted; null if the sandbox cannot be identified. */
function ownerOf(peer: Peer, context: ResolverContext): string | null {
  try {
    return context.identify(peer)?.id ?? ''
  } catch (error) {
    context.fail(error)
    return null
  }
}
