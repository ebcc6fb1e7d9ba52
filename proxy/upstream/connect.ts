import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { shownCertificate } from '../credentials/client-certificate.js'
import { ConnectTimeout } from './http1/errors.js'
import type { ResolvedUpstream } from './upstream.js'

/** Milliseconds after which an idle connection is asked whether its peer is still there. */
const KEEP_ALIVE_MS = 60_000

/** Dials the checked addresses in turn, and verifies the certificate for the checked name. Remembers the last TLS session. */
export class Connector {
  readonly #upstream: ResolvedUpstream
  readonly #timeoutMs: number
  #session: Buffer | undefined

  constructor(upstream: ResolvedUpstream, timeoutMs: number) {
    this.#upstream = upstream
    this.#timeoutMs = timeoutMs
  }

  connect(done: (error: Error | null, socket: Socket | null) => void): void {
    const { addresses } = this.#upstream
    const attempt = (index: number) => {
      this.#dial(addresses[index] ?? '', (error, socket) => {
        if (error !== null && index + 1 < addresses.length) attempt(index + 1)
        else done(error, socket)
      })
    }
    attempt(0)
  }

  #dial(address: string, done: (error: Error | null, socket: Socket | null) => void): void {
    const { origin, port } = this.#upstream
    const socket = origin.scheme === 'https' ? this.#tls(address, port) : connectTcp({ host: address, port })
    const timer = setTimeout(() => {
      const seconds = String(this.#timeoutMs / 1000)
      socket.destroy(new ConnectTimeout(`no connection within ${seconds} s (http.connect_timeout)`))
    }, this.#timeoutMs)
    socket.setNoDelay(true)
    socket.setKeepAlive(true, KEEP_ALIVE_MS)
    const settle = (error: Error | null) => {
      clearTimeout(timer)
      socket.off('error', settle).off('close', onClose).off(ready, onReady)
      done(error, error === null ? socket : null)
      // An error that comes after the first one is nobody's.
      if (error !== null) socket.on('error', () => undefined)
    }
    const ready = origin.scheme === 'https' ? 'secureConnect' : 'connect'
    const onReady = () => settle(null)
    const onClose = () =>
      settle(Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET' }))
    socket.once('error', settle).once('close', onClose).once(ready, onReady)
  }

  #tls(address: string, port: number): TLSSocket {
    const { origin, ca, clientCertificate } = this.#upstream
    const socket = connectTls({
      host: address,
      port,
      servername: origin.host,
      ALPNProtocols: ['http/1.1'],
      ...(this.#session === undefined ? {} : { session: this.#session }),
      ...(ca === null ? {} : { ca }),
      ...shownCertificate(clientCertificate),
    })
    socket.on('session', (session) => (this.#session = session))
    return socket
  }
}
