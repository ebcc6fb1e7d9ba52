import type { ClientHttp2Session, ServerHttp2Session } from 'node:http2'
import type { Socket } from 'node:net'

/** Milliseconds between two looks: a connection that is over is ended by the third. */
const LOOK_EVERY_MS = 2_000

/** Bytes of the frame that acknowledges SETTINGS. */
const ACKNOWLEDGEMENT = 9

/**
 * Finds out when a peer has broken the rules of HTTP/2 such that nghttp2 has given the connection up (RFC 9113 section 5.4.1). Threat: it
 * says so with GOAWAY, then reads and writes nothing more, and Node reports that to nobody: requests that are open stay so for as long as
 * the peer likes, and an upstream's connection is used for the next ones.
 *
 * Where something came and nothing was written since, SETTINGS without a setting are sent: a session that lives writes them, and their
 * bytes are counted. A PING would do as well, but servers of gRPC count those against their clients.
 *
 * @param onDead called once; it ends the session. The socket is closed here: Node would wait until a GOAWAY is written, and none is
 */
export function probeSession(
  session: ClientHttp2Session | ServerHttp2Session,
  socket: Socket,
  onDead: () => void,
): void {
  let written = 0
  /** Bytes that had come when the session was last known to live. */
  let known = 0
  /** The same, of a probe that is on its way. */
  let asked: number | null = null
  session.on('localSettings', () => {
    // The acknowledgement is all that came since, or there is more to ask about.
    if (asked === null) known += ACKNOWLEDGEMENT
    else [known, asked] = [asked + ACKNOWLEDGEMENT, null]
  })
  const timer = setInterval(look, LOOK_EVERY_MS).unref()
  session.once('close', () => clearInterval(timer))

  function look(): void {
    if (session.destroyed || socket.destroyed) {
      clearInterval(timer)
      return
    }
    const now = socket.bytesWritten
    if (now !== written) {
      written = now
      if (asked !== null) known = asked
      asked = null
    } else if (asked !== null) {
      // What was written before waits for a peer that does not read, and the probe behind it.
      if (isWriting(socket)) return
      end()
    } else if (socket.bytesRead !== known) {
      asked = socket.bytesRead
      ask()
    }
  }

  function ask(): void {
    try {
      session.settings({})
    } catch {
      // Ten of them are not acknowledged (RFC 9113 section 6.5.3).
      end()
    }
  }

  function end(): void {
    clearInterval(timer)
    onDead()
    socket.destroy()
  }
}

function isWriting(socket: Socket): boolean {
  const { _handle: handle } = socket as { _handle?: { readonly writeQueueSize?: number } | null }
  return (handle?.writeQueueSize ?? 0) > 0
}
