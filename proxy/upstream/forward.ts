import type { Dispatcher } from 'undici'
import type { Origin } from '#firewall/contracts/policy.js'
import type { SecretPatterns } from '#firewall/secrets/secret-patterns.js'
import type { ProxyContext } from '../context.js'
import type { OpenStream } from '../open-streams.js'
import { sendDenial } from '../downstream/denial.js'
import {
  deny,
  denyFailure,
  required,
  type Exchange,
  type ForwardResult,
  type Denial,
} from '../request/exchange.js'
import { decodedHeaders, readCodings, type Coding } from '../redaction/content-coding.js'
import { dropSessions, isReadable, responseHeaders } from '../request/headers.js'
import { redactHeaders, Redactor, Tally } from '../redaction/redact.js'
import { redactionsOf } from '../request/records.js'
import { codeOf, reasonOf } from './failures.js'
import { ResponseBody } from './response-body.js'

/** RFC 9110 section 9.2.2, without those that no one repeats blindly. */
const SAFE_TO_REPEAT = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * Sends the request upstream and streams the response back.
 *
 *     sandbox ── request ──▶ gateway ── request + credential ──▶ upstream
 *     sandbox ◀── redacted ── gateway ◀────── response ───────── upstream
 *
 * Nothing is buffered in either direction: each side is read as fast as the other takes it. Never rejects; whatever
 * happens is in the outcome, and the response was ended or the connection closed.
 */
export async function forward(exchange: Exchange, context: ProxyContext): Promise<ForwardResult> {
  const first = await new Forwarding(exchange, context).run()
  // A kept-alive connection may be closed by the upstream just as it is used again: no response, so try once more.
  const stale = first.detail === 'UND_ERR_SOCKET' && first.status === null && first.aborted === null
  if (stale && SAFE_TO_REPEAT.has(exchange.method) && exchange.body === null) {
    return answered(exchange, await new Forwarding(exchange, context).run())
  }
  return answered(exchange, first)
}

/** Tells the sandbox of a failure, if nothing of a response was sent yet. */
function answered(exchange: Exchange, result: ForwardResult): ForwardResult {
  const { response } = exchange
  if (result.denial === null || result.aborted === 'client-abort') return result
  if (response.headersSent) {
    response.destroy()
    return result
  }
  sendDenial(response, result.denial, exchange.id)
  return { ...result, status: response.statusCode }
}

class Forwarding implements Dispatcher.DispatchHandler, OpenStream {
  readonly agent: string
  readonly origin: Origin
  readonly #exchange: Exchange
  readonly #context: ProxyContext
  #secretPatterns: SecretPatterns
  readonly #tally = new Tally()
  #redactor: Redactor | null = null
  #body: ResponseBody | null = null
  #finish: (result: ForwardResult) => void = () => undefined
  #controller: Dispatcher.DispatchController | null = null
  #denial: Denial | null = null
  #status: number | null = null
  #clientGone = false
  /** Set by `end`. */
  #cut = false
  /** The upstream's response is complete; what is left is to write it out. */
  #ended = false
  #responseBytes = 0

  constructor(exchange: Exchange, context: ProxyContext) {
    this.#exchange = exchange
    this.#context = context
    this.#secretPatterns = exchange.secretPatterns
    this.agent = required(exchange.sandbox).agent
    this.origin = required(exchange.origin)
  }

  run(): Promise<ForwardResult> {
    const { request, response, outgoing, body, upstream } = this.#exchange
    const { method, path, query, headers } = required(outgoing)
    return new Promise((resolve) => {
      const onClose = () => {
        if (response.writableFinished) return
        this.#clientGone = true
        if (this.#ended) this.#finish(this.#result(null))
        else this.#controller?.abort(new Error('the client went away'))
      }
      this.#finish = (result) => {
        response.off('close', onClose)
        leave()
        this.#body?.destroy()
        resolve(result)
      }
      response.on('close', onClose)
      // Gone while the decision was written: nothing needs to be sent.
      this.#clientGone = response.closed || request.socket.destroyed
      const { snapshot } = this.#exchange
      const leave = this.#context.streams.add(this, snapshot, this.#context.snapshot)
      snapshot.pools.get(required(upstream)).dispatch(
        {
          path: path + query,
          method,
          headers,
          // The failure of a body reaches undici through its stream, which ends the upstream request.
          body: body?.content() ?? null,
        },
        this,
      )
    })
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#clientGone) controller.abort(new Error('the client went away'))
    else if (this.#cut) controller.abort(new Error('the policy was changed'))
  }

  /** What the sandbox has had stays; when nothing was sent yet, it is told the reason. */
  end(): void {
    if (this.#cut) return
    this.#cut = true
    this.#denial = deny('policy-changed')
    // When the upstream has said all, what is left is to write it out, and that ends here.
    if (this.#ended) this.#exchange.response.destroy()
    else this.#controller?.abort(new Error('the policy was changed'))
  }

  search(secretPatterns: SecretPatterns): void {
    this.#secretPatterns = this.#secretPatterns.plus(secretPatterns)
    this.#redactor?.alsoFor(secretPatterns)
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    raw: Record<string, string | string[] | undefined>,
  ): void {
    if (status < 200) return
    const { credential, outgoing } = this.#exchange
    credential?.onResponse?.(required(outgoing), status, this.#context.now())
    const codings = this.#codingsOf(status, raw)
    if ('reason' in codings) {
      this.#denial = codings
      controller.abort(new Error(codings.reason))
      return
    }
    const passed = responseHeaders(raw)
    if (this.#exchange.keepsSessions) dropSessions(passed)
    const redacted = redactHeaders(passed, this.#secretPatterns, this.#tally)
    const headers = codings.length === 0 ? redacted : decodedHeaders(redacted)
    this.#status = status
    // The reason phrase is the upstream's free text: ours is written instead.
    const { response } = this.#exchange
    const redactor = new Redactor(this.#secretPatterns, this.#tally, status === 206)
    const begin = () => {
      if (!response.headersSent) response.writeHead(status, headers)
    }
    this.#redactor = redactor
    this.#body = new ResponseBody(codings, redactor, response, begin, (error) => this.#failDecoding(error))
    // What does not even begin to decompress is answered with an error, not with the upstream's status.
    if (codings.length === 0) begin()
    // An event stream's head goes out before its first event; a body that is there already goes out with its head.
    setImmediate(() => {
      if (this.#responseBytes > 0 || this.#ended || response.socket === null) return
      begin()
      response.flushHeaders()
    })
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#responseBytes += chunk.length
    this.#body?.write(chunk, controller)
  }

  /** Trailers end here: they cannot be announced to a client that did not ask for them (RFC 9110 section 6.5.1). */
  onResponseEnd(): void {
    this.#ended = true
    this.#body?.end(() => this.#finish(this.#result(null)))
    if (this.#clientGone) this.#finish(this.#result(null))
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    // A 304 may announce the length of the body that it leaves out (RFC 9110 section 8.6); undici misses the body.
    if (this.#status === 304 && codeOf(error) === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH') {
      this.onResponseEnd()
      return
    }
    const failure = this.#cut ? null : (this.#exchange.body?.failure ?? null)
    if (failure !== null) this.#denial = denyFailure(failure, null)
    if (this.#clientGone && !this.#cut) this.#denial = null
    else this.#denial ??= deny(reasonOf(error), { detail: codeOf(error) })
    this.#finish(this.#result(error))
  }

  /** The codings to undo; a refusal for a response that must not be passed on, because it cannot be read. */
  #codingsOf(status: number, raw: Record<string, string | string[] | undefined>): readonly Coding[] | Denial {
    if (status > 599) return deny('upstream-protocol', { detail: `status ${String(status)}` })
    if (this.#secretPatterns.bytes.length === 0) return []
    if (!isReadable(status, raw)) return deny('upstream-encoding')
    const codings = readCodings(raw['content-encoding'])
    // Without a body there is nothing to read.
    if (this.#exchange.method === 'HEAD' || status === 204 || status === 304) return codings ?? []
    if (codings === null) return deny('upstream-encoding')
    // A part of a compressed body cannot be decompressed.
    return status === 206 && codings.length > 0 ? deny('upstream-encoding') : codings
  }

  #failDecoding(error: Error): void {
    this.#denial = deny('upstream-encoding', { detail: codeOf(error) })
    if (!this.#ended) this.#controller?.abort(error)
    this.#finish(this.#result(error))
  }

  #result(error: Error | null): ForwardResult {
    const { request } = this.#exchange
    const aborted = this.#clientGone
      ? 'client-abort'
      : error !== null && this.#status !== null
        ? 'upstream-abort'
        : null
    request.unpipe()
    return {
      denial: this.#denial,
      aborted,
      status: this.#status,
      requestBytes: this.#exchange.body?.bytes ?? 0,
      responseBytes: this.#responseBytes,
      redactions: redactionsOf(this.#tally, this.#exchange.credential),
      detail: error === null || this.#clientGone || this.#cut ? null : codeOf(error),
    }
  }
}
