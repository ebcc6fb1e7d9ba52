import type { ClientRequest, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
// `http-proxy` is installed as its maintained successor: docs/decisions/http-proxy-alias.md says why.
import { createProxyServer } from 'http-proxy'
import type { ProxyContext } from '../context.js'
import { shownCertificate } from '../credentials/client-certificate.js'
import { sendDenial } from '../denial.js'
import { refuse, settled, type Exchange, type Outcome, type Refusal } from '../exchange.js'
import { FrameRedactor } from '../frame-redactor.js'
import { codeOf, reasonOf } from './failures.js'

/**
 * Passes a WebSocket through (RFC 6455 section 4).
 *
 *     sandbox ── GET, Upgrade ──▶ gate ── + credential ──▶ upstream
 *     sandbox ◀── 101, frames ─── gate ◀─── 101, frames ─── upstream
 *
 * Until the upstream said 101, no byte of the sandbox's after the request head is read: an upstream that refuses cannot
 * be sent a second request that nobody judged. A refusal is answered with 502 and its status, without its body. Never
 * rejects.
 */
export function forwardUpgrade(exchange: Exchange, context: ProxyContext): Promise<Outcome> {
  const { request } = exchange
  const outgoing = settled(exchange.outgoing)
  const { socket, head } = settled(exchange.upgrade)
  const { origin, addresses, port, ca, clientCertificate } = settled(exchange.upstream)
  const client = new ClientEnd(socket, new FrameRedactor(exchange.credential?.needles().bytes ?? []))

  // http-proxy writes the headers of the request object that it is given, so that is where the judged ones go.
  const upstreamRequest = Object.create(request) as IncomingMessage
  upstreamRequest.headers = {
    ...outgoing.headers,
    connection: 'Upgrade',
    upgrade: 'websocket',
  }
  upstreamRequest.url = outgoing.path + outgoing.query
  const headBytes = client.bytesRead

  return new Promise((resolve) => {
    let status: number | null = null
    let refusal: Refusal | null = null
    // A proxy of its own for each upgrade: options of a shared one would win over those of the call.
    const proxy = createProxyServer({ xfwd: false })
    const settle = (aborted: Outcome['aborted']) => {
      resolve({
        refusal,
        aborted,
        status: refusal === null ? status : exchange.response.statusCode,
        requestBytes: client.bytesRead - headBytes,
        responseBytes: client.bytesWritten,
        redactions: client.redactions,
        detail: refusal?.detail ?? null,
      })
    }
    const fail = (reason: Refusal) => {
      if (status !== null || refusal !== null) return
      refusal = reason
      sendDenial(exchange.response, reason, exchange.id)
      settle(null)
      client.destroy()
    }
    proxy.on('proxyReqWs', (upstream: ClientRequest) => {
      upstream.setTimeout(context.policy.http.responseTimeoutMs, () => {
        fail(refuse('upstream-timeout'))
        upstream.destroy()
      })
      upstream.prependOnceListener('response', (response) => {
        exchange.credential?.answered?.(outgoing, response.statusCode ?? 0, context.now())
        fail(
          refuse('upstream-protocol', {
            detail: `the upstream refused the upgrade: ${String(response.statusCode)}`,
          }),
        )
        response.destroy()
      })
      upstream.prependOnceListener('upgrade', (_response, upstreamSocket: Socket) => {
        status = 101
        upstream.setTimeout(0)
        upstreamSocket.setTimeout(context.policy.http.idleTimeoutMs, () => upstreamSocket.destroy())
        upstreamSocket.once('close', () => client.destroy())
        client.once('close', () => upstreamSocket.destroy())
      })
    })
    proxy.on('error', (error: Error) => fail(refuse(reasonOf(error), { detail: codeOf(error) })))
    client.once('close', () => {
      if (refusal === null) settle(status === null ? 'client-abort' : null)
    })
    const [address = ''] = addresses
    void proxy.ws(
      upstreamRequest,
      client as unknown as Socket,
      {
        target: { protocol: `${origin.scheme}:`, host: address, port },
        ssl: {
          servername: origin.host,
          ALPNProtocols: ['http/1.1'],
          ...(ca === null ? {} : { ca }),
          ...shownCertificate(clientCertificate),
        },
      },
      head,
    )
  })
}

/** The sandbox's side of an upgraded connection: what is written to it is redacted first. */
class ClientEnd extends Duplex {
  readonly #socket: Socket
  readonly #redactor: FrameRedactor

  constructor(socket: Socket, redactor: FrameRedactor) {
    super({ allowHalfOpen: true })
    this.#socket = socket
    this.#redactor = redactor
    socket.on('end', () => this.push(null))
    socket.on('error', () => this.destroy())
    socket.on('close', () => this.destroy())
  }

  get redactions(): number {
    return this.#redactor.count
  }

  get bytesRead(): number {
    return this.#socket.bytesRead
  }

  get bytesWritten(): number {
    return this.#socket.bytesWritten
  }

  setTimeout(): this {
    return this
  }

  setNoDelay(on: boolean): this {
    this.#socket.setNoDelay(on)
    return this
  }

  setKeepAlive(on: boolean): this {
    this.#socket.setKeepAlive(on)
    return this
  }

  /** Nobody reads before the upstream's 101, for that is when http-proxy begins to pipe. */
  override _read(): void {
    this.#socket.off('data', this.#onData)
    this.#socket.on('data', this.#onData)
    this.#socket.resume()
  }

  readonly #onData = (chunk: Buffer) => {
    if (!this.push(chunk)) this.#socket.pause()
  }

  override _write(
    chunk: Buffer | string,
    encoding: BufferEncoding,
    done: (error?: Error | null) => void,
  ): void {
    const bytes = this.#redactor.push(Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk, encoding))
    if (bytes.length === 0 || this.#socket.write(bytes)) done()
    else this.#socket.once('drain', () => done())
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(this.#redactor.flush())
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    // `end` before `destroy` lets a denial that was just written get out.
    this.#socket.destroySoon()
    done(error)
  }
}
