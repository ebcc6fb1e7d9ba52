import type { Socket } from 'node:net'

/** What libuv keeps of a socket; TLS has that of the connection below it. */
interface Handle {
  /** Node reads from it, or believes so. */
  readonly reading?: boolean
  readStart?(): number
  readStop?(): number
}

function handleOf(socket: Socket): Handle | null {
  return (socket as unknown as { _handle: Handle | null })._handle
}

/**
 * Pauses a socket, and reads nothing more of it. Threat: what Node reads ahead of a reader that has paused is another 64 KiB for each
 * response that a client does not read.
 */
export function pauseReading(socket: Socket): void {
  socket.pause()
  const handle = handleOf(socket)
  // Node is left to believe that it reads: otherwise it would begin again at once.
  if (handle?.reading === true) handle.readStop?.()
}

/** The opposite. Where Node itself had stopped, it begins by itself. */
export function resumeReading(socket: Socket): void {
  const handle = handleOf(socket)
  if (handle?.reading === true && socket.isPaused()) handle.readStart?.()
  socket.resume()
}
