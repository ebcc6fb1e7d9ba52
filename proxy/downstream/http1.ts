import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex, Readable } from 'node:stream'
import type { Headers } from '#firewall/contracts/credential.js'
import { denialStatus, type Denial } from '../contracts/denial.js'
import { collectHeaders, hasBody, newHeaders } from '../message/headers.js'
import { statusLine } from '../message/status-line.js'
import { acceptFor } from '../message/websocket-handshake.js'
import { denialResponse } from './denial.js'
import type { Downstream, Upgrade } from './downstream.js'

/** A request of HTTP/1.1, as Node's server read it. */
export class Http1Downstream implements Downstream {
  readonly method: string
  readonly target: string
  readonly headers: Headers
  readonly hasBody: boolean
  readonly isHttp2 = false
  readonly upgrade: Upgrade | null
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  /** The body was asked for. */
  #isInvited = false
  /** All of the response is with the system. */
  #isWritten = false
  /** The client wants the connection closed behind the response, and is still sending. */
  #closesLate = false

  constructor(request: IncomingMessage, response: ServerResponse, upgrade: Upgrade | null) {
    this.method = request.method ?? ''
    this.target = request.url ?? ''
    this.headers = collectHeaders(request.rawHeaders)
    this.hasBody = hasBody(this.headers)
    this.upgrade = upgrade
    this.#request = request
    this.#response = response
    // A client may go away at any time; its absence shows where bytes are written, not here.
    request.on('error', ignore)
    response.on('error', ignore)
  }

  get begun(): boolean {
    return this.#response.headersSent
  }

  get gone(): boolean {
    return this.#response.closed || this.#request.socket.destroyed
  }

  get sendsNow(): boolean {
    return this.#response.socket !== null
  }

  body(): Readable {
    this.#isInvited = true
    if (this.#asksFirst) this.#response.writeContinue()
    return this.#request
  }

  /** Node's parser has them, but no upstream of HTTP/1.1 is sent any. */
  trailers(): null {
    return null
  }

  dropBody(): void {
    this.#request.unpipe()
  }

  onGone(listener: () => void): () => void {
    const response = this.#response
    // Node takes a response for finished whose connection was reset behind its last byte, and does not say that it is.
    const onClose = () => {
      if (!this.#isWritten) listener()
    }
    response.on('close', onClose)
    return () => response.off('close', onClose)
  }

  begin(status: number, headers: Headers): void {
    const response = this.#response
    if (!response.shouldKeepAlive && this.#isSending && this.#request.httpVersionMinor > 0) {
      // Node would close the connection with the response.
      response.shouldKeepAlive = true
      this.#closesLate = true
    }
    // The reason phrase is the upstream's free text: Node's own is written instead.
    this.#response.writeHead(status, bytesAsTheyCame(headers))
  }

  flush(): void {
    this.#response.flushHeaders()
  }

  write(chunk: Buffer): boolean {
    return this.#response.write(chunk)
  }

  onDrain(listener: () => void): void {
    this.#response.once('drain', listener)
  }

  end(trailers: Headers | null, onWritten: () => void): void {
    // RFC 9110 section 6.5.1: only a client that says so reads them.
    if (trailers !== null && /\btrailers\b/i.test(String(this.headers['te'] ?? '')))
      this.#response.addTrailers(trailers)
    this.#response.end(() => {
      this.#isWritten = true
      onWritten()
      this.#afterBody(() => {
        if (this.#closesLate || !this.#request.complete) this.#request.socket.end()
      })
    })
  }

  deny(denial: Denial, requestId: string, status?: number): number {
    const answer = denialResponse(this, denial, requestId, status)
    this.#response.writeHead(answer.status, answer.phrase, {
      ...answer.headers,
      // The body may be unread: nothing of it may be taken for the next request.
      connection: 'close',
    })
    if (answer.body === null || this.method === 'HEAD') this.#response.flushHeaders()
    else this.#response.write(answer.body)
    this.#afterBody(() => this.#response.end())
    return status ?? denialStatus(denial)
  }

  destroy(): void {
    this.#response.destroy()
  }

  /** Whether the client is in the middle of its body, and not waiting for permission to send it. */
  get #isSending(): boolean {
    return !this.#request.complete && (this.#isInvited || !this.#asksFirst)
  }

  get #asksFirst(): boolean {
    return /100-continue/i.test(this.#request.headers.expect ?? '')
  }

  /**
   * Calls back when the client has sent its body, of which nothing is kept. Many clients read nothing before that; a connection that is
   * closed with bytes unread is reset, and takes the answer with it (RFC 9112 section 9.6).
   */
  #afterBody(done: () => void): void {
    const request = this.#request
    if (!this.#isSending) {
      done()
      return
    }
    const settle = () => {
      clearTimeout(timer)
      request.off('end', settle).off('close', settle)
      done()
    }
    const timer = setTimeout(settle, LINGER_MS)
    request.once('end', settle).once('close', settle)
    request.unpipe()
    request.resume()
  }
}

/** Milliseconds in which a client may go on with a body that nobody wants. */
const LINGER_MS = 10_000

/**
 * Header text is a character for each byte. Node reads Content-Disposition as UTF-8 where it knows the length of the body by then, and
 * fails on what is not Latin-1; so it gets it first.
 */
function bytesAsTheyCame(headers: Headers): Headers {
  const disposition = headers['content-disposition']
  if (disposition === undefined) return headers
  return Object.assign(newHeaders(), { 'content-disposition': disposition }, headers)
}

function ignore(): void {
  // Said above.
}

/** A socket that Node's server has let go of, because its request asked for another protocol. */
export class Http1Upgrade implements Upgrade {
  readonly #socket: Socket
  /** What the client sent behind its request, before it was answered. */
  readonly #head: Buffer
  readonly #key: string

  /** @param key of the client (RFC 6455 section 4.1) */
  constructor(socket: Socket, head: Buffer, key: string) {
    this.#socket = socket
    this.#head = head
    this.#key = key
  }

  accept(headers: Headers): Duplex {
    const agreed = {
      ...headers,
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-accept': acceptFor(this.#key),
    }
    const lines = Object.entries(agreed).flatMap(([name, value]) =>
      [value].flat().map((one) => `${name}: ${one}\r\n`),
    )
    this.#socket.setTimeout(0)
    this.#socket.setNoDelay(true)
    this.#socket.setKeepAlive(true)
    this.#socket.write(`${statusLine(101)}\r\n${lines.join('')}\r\n`, 'latin1')
    if (this.#head.length > 0) this.#socket.unshift(this.#head)
    return this.#socket
  }

  close(): void {
    // Lets a denial that was just written get out.
    this.#socket.destroySoon()
  }
}
