import type { RemoteInfo, Socket } from 'node:dgram'
import type { ResolverContext } from '../flow.js'
import { resolveQuery } from '../resolver.js'

/** Answers on a bound socket until it is closed. */
export function serveUdp(socket: Socket, context: ResolverContext): { close(): void } {
  const reported = new Set<string>()
  let closed = false

  // Each error code once. Threat: a client that fills the program log (closed port, full buffer).
  const onSent = (error: Error | null): void => {
    if (error === null) return
    const code = (error as NodeJS.ErrnoException).code ?? error.name
    if (reported.has(code)) return
    reported.add(code)
    context.fail(error)
  }

  const onMessage = (bytes: Buffer, { address, port }: RemoteInfo): void => {
    // Port 0 cannot receive (RFC 768: "no port"), and `send` to it throws: one datagram would end the process.
    if (port === 0) return
    resolveQuery(bytes, { address, port }, 'udp', context, (response) => {
      if (response === null || closed) return
      try {
        socket.send(response, port, address, onSent)
      } catch (error) {
        context.fail(error)
      }
    })
  }

  const onError = (error: Error): void => context.fail(error)
  socket.on('message', onMessage)
  socket.on('error', onError)

  return {
    close() {
      if (closed) return
      closed = true
      socket.off('message', onMessage)
      socket.close()
    },
  }
}
