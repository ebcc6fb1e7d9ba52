import { readSync } from 'node:fs'
import type { Socket } from 'node:net'

/** What libuv keeps of a socket; TLS has that of the connection below it. */
interface Handle {
  readonly fd?: number
}

/**
 * Whether anything, or the end, has arrived on a connection of which all that was read is handled: bytes that nobody asked for, a
 * closing, a reset. The event loop would say so only in its next turn. What is read here is lost, so the connection has to be
 * closed then.
 *
 * @returns null where the system cannot be asked, as for TLS within the TLS of a proxy
 */
export function hasArrived(socket: Socket): boolean | null {
  const { fd = -1 } = (socket as unknown as { _handle: Handle | null })._handle ?? {}
  if (fd < 0) return null
  try {
    readSync(fd, Buffer.allocUnsafe(1))
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'EAGAIN'
  }
}
