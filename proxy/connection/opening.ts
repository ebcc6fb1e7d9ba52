import type { Socket } from 'node:net'
import { MAX_CLIENT_HELLO, parseClientHello, type ClientOffer } from '../tls/client-hello.js'

/** Milliseconds in which a client must have sent its hello. */
const HELLO_TIMEOUT_MS = 15_000

/**
 * Milliseconds in which it must have begun. Clients of TLS and HTTP speak first, and at once; those of SMTP, FTP or MySQL wait for
 * the server, and would wait here for ever.
 */
export const SILENCE_MS = 5_000

/** What came first on a connection. */
export type Opening =
  /** Nobody looked: the listener takes nothing but HTTP. */
  | { readonly kind: 'unread' }
  /** HTTP/2, as client and gateway have agreed by ALPN, or the client has known before. */
  | { readonly kind: 'http2' }
  | { readonly kind: 'tls'; readonly offer: ClientOffer }
  /** Anything that is no TLS hello. `first` is what is there so far; it is put back. */
  | { readonly kind: 'plain'; readonly first: Buffer }
  /** Nothing came in time. The connection is still open. */
  | { readonly kind: 'silent' }
  /** The connection is over. `bytes` came before that, and `late` says that it was cut off for taking too long. */
  | { readonly kind: 'closed'; readonly bytes: number; readonly late: boolean }

/** Looks at the first bytes of a connection and puts them back. Never rejects. */
export function peek(socket: Socket): Promise<Opening> {
  // It was reset before its turn came, and its events are over.
  if (socket.destroyed) return Promise.resolve({ kind: 'closed', bytes: 0, late: false })
  return new Promise((resolve) => {
    let data = Buffer.alloc(0)
    const settle = (opening: Opening) => {
      clearTimeout(timer)
      clearTimeout(silence)
      socket.off('data', onData).off('close', onClose).off('end', onClose)
      socket.pause()
      if (opening.kind !== 'closed' && data.length > 0) socket.unshift(data)
      resolve(opening)
    }
    const onClose = () => settle({ kind: 'closed', bytes: data.length, late: false })
    const timer = setTimeout(() => {
      socket.destroy()
      settle({ kind: 'closed', bytes: data.length, late: true })
    }, HELLO_TIMEOUT_MS)
    const silence = setTimeout(() => settle({ kind: 'silent' }), SILENCE_MS)
    const onData = (chunk: Buffer) => {
      clearTimeout(silence)
      data = Buffer.concat([data, chunk])
      const hello = parseClientHello(data)
      if (hello.kind === 'hello') settle({ kind: 'tls', offer: hello })
      else if (hello.kind === 'malformed' || data.length > 2 * MAX_CLIENT_HELLO)
        settle({ kind: 'plain', first: data })
    }
    socket.on('data', onData).on('close', onClose).on('end', onClose)
    socket.resume()
  })
}
