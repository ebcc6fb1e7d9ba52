import type { ClientRequest, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
// `http-proxy` is installed as its maintained successor: docs/decisions/http-proxy-alias.md says why.
import { createProxyServer } from 'http-proxy'
import type { SecretPatterns } from '#firewall/secrets/secret-patterns.js'
import type { ProxyContext } from '../context.js'
import { shownCertificate } from '../credentials/client-certificate.js'
import { sendDenial } from '../downstream/denial.js'
import { deny, required, type Exchange, type ForwardResult, type Denial } from '../request/exchange.js'
import { dropSessions } from '../request/headers.js'
import { redactionsOf } from '../request/records.js'
import { Redactor, Tally } from '../redaction/redact.js'
import { codeOf, reasonOf } from './failures.js'
import { FrameRedactor } from './websocket-frames.js'

/**
 * Passes a WebSocket through (RFC 6455 section 4).
 *
 *     sandbox ── GET, Upgrade ──▶ gateway ── + credential ──▶ upstream
 *     sandbox ◀── 101, frames ─── gateway ◀─── 101, frames ─── upstream
 *
 * Until the upstream said 101, no byte of the sandbox's after the request head is read: an upstream that refuses cannot
 * be sent a second request that nobody checked. A refusal is answered with the upstream's status (401, 426, …), without its
 * body. Never rejects.
 */
export function forwardUpgrade(exchange: Exchange, context: ProxyContext): Promise<ForwardResult> {
  const { request } = exchange
  const outgoing = required(exchange.outgoing)
  const { socket, head } = required(exchange.upgrade)
  const { origin, addresses, port, ca, clientCertificate } = required(exchange.upstream)
  const tally = new Tally()
  const { secretPatterns } = exchange
  const redactor = secretPatterns.bytes.length === 0 ? null : new UpgradeRedactor(secretPatterns, tally)
  const client = new ClientEnd(socket, redactor)

  // http-proxy writes the headers of the request object that it is given, so that is where the checked ones go.
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
    let denial: Denial | null = null
    // A proxy of its own for each upgrade: options of a shared one would win over those of the call.
    const proxy = createProxyServer({ xfwd: false })
    const settle = (aborted: ForwardResult['aborted']) => {
      forget()
      leave()
      resolve({
        denial,
        aborted,
        status: status ?? (denial === null ? null : exchange.response.statusCode),
        requestBytes: client.bytesRead - headBytes,
        responseBytes: client.bytesWritten,
        redactions: redactionsOf(tally, exchange.credential),
        detail: denial?.detail ?? null,
      })
    }
    const fail = (reason: Denial, answer?: number) => {
      if (status !== null || denial !== null) return
      denial = reason
      sendDenial(exchange.response, reason, exchange.id, answer)
      settle(null)
      client.destroy()
    }
    const cut = (reason: 'shutting-down' | 'policy-changed') => {
      fail(deny(reason))
      // What was upgraded before ends like a connection that broke.
      denial ??= deny(reason)
      settle(null)
      client.destroy()
    }
    const forget = context.shutdown.onStart(() => cut('shutting-down'))
    const leave = context.streams.add(
      {
        agent: required(exchange.sandbox).agent,
        origin,
        end: () => cut('policy-changed'),
        // Without a redactor messages may be compressed, and nothing can be found in them.
        search: (more) => redactor?.alsoFor(more),
      },
      exchange.snapshot,
      context.snapshot,
    )
    proxy.on('proxyReqWs', (upstream: ClientRequest) => {
      client.once('close', () => upstream.destroy())
      upstream.setTimeout(exchange.snapshot.policy.http.responseTimeoutMs, () => {
        fail(deny('upstream-timeout'))
        upstream.destroy()
      })
      upstream.prependOnceListener('response', (response) => {
        const { statusCode: answer = 0 } = response
        exchange.credential?.onResponse?.(outgoing, answer, context.now())
        const isError = answer >= 400 && answer < 600
        fail(deny('upgrade-refused', { detail: `status ${String(answer)}` }), isError ? answer : undefined)
        response.destroy()
      })
      upstream.prependOnceListener('upgrade', (response, upstreamSocket: Socket) => {
        // Nobody offered one, and what it does to messages is not undone here.
        if (secretPatterns.bytes.length > 0 && response.headers['sec-websocket-extensions'] !== undefined) {
          fail(deny('upstream-protocol', { detail: 'the upstream chose an extension that nobody offered' }))
          upstreamSocket.destroy()
          return
        }
        if (exchange.keepsSessions) dropSessions(response.headers)
        status = 101
        upstream.setTimeout(0)
        upstreamSocket.setTimeout(exchange.snapshot.policy.http.idleTimeoutMs, () => upstreamSocket.destroy())
        upstreamSocket.once('close', () => client.destroy())
        client.once('close', () => upstreamSocket.destroy())
      })
    })
    proxy.on('error', (error: Error) => fail(deny(reasonOf(error), { detail: codeOf(error) })))
    client.once('close', () => {
      if (client.malformed) denial = deny('upstream-protocol', { detail: 'not a WebSocket frame' })
      if (denial === null || client.malformed) settle(status === null ? 'client-abort' : null)
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

/** The upstream's side of an upgraded connection: the head of the 101, then frames. */
class UpgradeRedactor {
  readonly #head: Redactor
  readonly #frames: FrameRedactor
  /** The last bytes of the head so far; null after it. */
  #end: string | null = ''

  constructor(secretPatterns: SecretPatterns, tally: Tally) {
    this.#head = new Redactor(secretPatterns, tally)
    this.#frames = new FrameRedactor(secretPatterns, tally)
  }

  alsoFor(secretPatterns: SecretPatterns): void {
    this.#head.alsoFor(secretPatterns)
    this.#frames.alsoFor(secretPatterns)
  }

  push(chunk: Buffer): Buffer | null {
    if (this.#end === null) return this.#frames.push(chunk)
    const seen = this.#end + chunk.toString('latin1')
    const at = seen.indexOf('\r\n\r\n')
    if (at < 0) {
      this.#end = seen.slice(-3)
      return this.#head.push(chunk)
    }
    const size = at + 4 - this.#end.length
    this.#end = null
    const head = [this.#head.push(chunk.subarray(0, size)), this.#head.flush()]
    const frames = this.#frames.push(chunk.subarray(size))
    return frames === null ? null : Buffer.concat([...head, frames])
  }
}

/** The sandbox's side of an upgraded connection: what is written to it is redacted first. */
class ClientEnd extends Duplex {
  readonly #socket: Socket
  readonly #redactor: UpgradeRedactor | null
  /** The upstream sent what cannot be read, and so cannot be passed on. */
  malformed = false

  constructor(socket: Socket, redactor: UpgradeRedactor | null) {
    super({ allowHalfOpen: true })
    this.#socket = socket
    this.#redactor = redactor
    socket.on('end', () => this.push(null))
    socket.on('error', () => this.destroy())
    socket.on('close', () => this.destroy())
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
    const written = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk, encoding)
    const bytes = this.#redactor === null ? written : this.#redactor.push(written)
    if (bytes === null) {
      this.malformed = true
      this.destroy()
      done()
    } else if (bytes.length === 0 || this.#socket.write(bytes)) done()
    else this.#socket.once('drain', () => done())
  }

  override _final(done: (error?: Error | null) => void): void {
    // What a message still holds back was not whole: its frame announced more.
    this.#socket.end()
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    // `end` before `destroy` lets a denial that was just written get out.
    this.#socket.destroySoon()
    done(error)
  }
}
