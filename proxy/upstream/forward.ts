import type { Dispatcher } from 'undici'
import type { Needles } from '#firewall/needles.js'
import type { ProxyContext } from '../context.js'
import { sendDenial } from '../denial.js'
import { refuse, refuseFault, settled, type Exchange, type Outcome, type Refusal } from '../exchange.js'
import { decodedHeaders, readCodings, type Coding } from '../content-coding.js'
import { dropSessions, isReadable, responseHeaders } from '../headers.js'
import { redactHeaders, Redactor, Tally } from '../redact.js'
import { redactionsOf } from '../records.js'
import { codeOf, reasonOf } from './failures.js'
import { ResponseBody } from './response-body.js'

/** RFC 9110 section 9.2.2, without those that no one repeats blindly. */
const SAFE_TO_REPEAT = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * Sends the request upstream and streams the response back.
 *
 *     sandbox ── request ──▶ gate ── request + credential ──▶ upstream
 *     sandbox ◀── redacted ── gate ◀────── response ───────── upstream
 *
 * Nothing is buffered in either direction: each side is read as fast as the other takes it. Never rejects; whatever
 * happens is in the outcome, and the response was ended or the connection closed.
 */
export async function forward(exchange: Exchange, context: ProxyContext): Promise<Outcome> {
  const first = await new Forwarding(exchange, context).run()
  // A kept-alive connection may be closed by the upstream just as it is used again: no response, so try once more.
  const stale = first.detail === 'UND_ERR_SOCKET' && first.status === null && first.aborted === null
  if (stale && SAFE_TO_REPEAT.has(exchange.method) && exchange.body === null) {
    return answered(exchange, await new Forwarding(exchange, context).run())
  }
  return answered(exchange, first)
}

/** Tells the sandbox of a failure, if nothing of a response was sent yet. */
function answered(exchange: Exchange, outcome: Outcome): Outcome {
  const { response } = exchange
  if (outcome.refusal === null || outcome.aborted === 'client-abort') return outcome
  if (response.headersSent) {
    response.destroy()
    return outcome
  }
  sendDenial(response, outcome.refusal, exchange.id)
  return { ...outcome, status: response.statusCode }
}

class Forwarding implements Dispatcher.DispatchHandler {
  readonly #exchange: Exchange
  readonly #context: ProxyContext
  readonly #needles: Needles
  readonly #tally = new Tally()
  #body: ResponseBody | null = null
  #finish: (outcome: Outcome) => void = () => undefined
  #controller: Dispatcher.DispatchController | null = null
  #refusal: Refusal | null = null
  #status: number | null = null
  #clientGone = false
  /** The upstream's response is complete; what is left is to write it out. */
  #ended = false
  #responseBytes = 0

  constructor(exchange: Exchange, context: ProxyContext) {
    this.#exchange = exchange
    this.#context = context
    this.#needles = exchange.needles
  }

  run(): Promise<Outcome> {
    const { request, response, outgoing, body, upstream } = this.#exchange
    const { method, path, query, headers } = settled(outgoing)
    return new Promise((resolve) => {
      const onClose = () => {
        if (response.writableFinished) return
        this.#clientGone = true
        if (this.#ended) this.#finish(this.#outcome(null))
        else this.#controller?.abort(new Error('the client went away'))
      }
      this.#finish = (outcome) => {
        response.off('close', onClose)
        this.#body?.destroy()
        resolve(outcome)
      }
      response.on('close', onClose)
      // Gone while the decision was written: nothing needs to be sent.
      this.#clientGone = response.closed || request.socket.destroyed
      this.#context.pools.get(settled(upstream)).dispatch(
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
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    raw: Record<string, string | string[] | undefined>,
  ): void {
    if (status < 200) return
    const { credential, outgoing } = this.#exchange
    credential?.answered?.(settled(outgoing), status, this.#context.now())
    const codings = this.#codingsOf(status, raw)
    if ('reason' in codings) {
      this.#refusal = codings
      controller.abort(new Error(codings.reason))
      return
    }
    const passed = responseHeaders(raw)
    if (this.#exchange.keepsSessions) dropSessions(passed)
    const redacted = redactHeaders(passed, this.#needles, this.#tally)
    const headers = codings.length === 0 ? redacted : decodedHeaders(redacted)
    this.#status = status
    // The reason phrase is the upstream's free text: ours is written instead.
    const { response } = this.#exchange
    const redactor = new Redactor(this.#needles, this.#tally, status === 206)
    const begin = () => {
      if (!response.headersSent) response.writeHead(status, headers)
    }
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
    this.#body?.end(() => this.#finish(this.#outcome(null)))
    if (this.#clientGone) this.#finish(this.#outcome(null))
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    // A 304 may announce the length of the body that it leaves out (RFC 9110 section 8.6); undici misses the body.
    if (this.#status === 304 && codeOf(error) === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH') {
      this.onResponseEnd()
      return
    }
    const fault = this.#exchange.body?.fault ?? null
    if (fault !== null) this.#refusal = refuseFault(fault, null)
    if (this.#clientGone) this.#refusal = null
    else this.#refusal ??= refuse(reasonOf(error), { detail: codeOf(error) })
    this.#finish(this.#outcome(error))
  }

  /** The codings to undo; a refusal for a response that must not be passed on, because it cannot be read. */
  #codingsOf(
    status: number,
    raw: Record<string, string | string[] | undefined>,
  ): readonly Coding[] | Refusal {
    if (status > 599) return refuse('upstream-protocol', { detail: `status ${String(status)}` })
    if (this.#needles.bytes.length === 0) return []
    if (!isReadable(status, raw)) return refuse('upstream-encoding')
    const codings = readCodings(raw['content-encoding'])
    // Without a body there is nothing to read.
    if (this.#exchange.method === 'HEAD' || status === 204 || status === 304) return codings ?? []
    if (codings === null) return refuse('upstream-encoding')
    // A part of a compressed body cannot be decompressed.
    return status === 206 && codings.length > 0 ? refuse('upstream-encoding') : codings
  }

  #failDecoding(error: Error): void {
    this.#refusal = refuse('upstream-encoding', { detail: codeOf(error) })
    if (!this.#ended) this.#controller?.abort(error)
    this.#finish(this.#outcome(error))
  }

  #outcome(error: Error | null): Outcome {
    const { request } = this.#exchange
    const aborted = this.#clientGone
      ? 'client-abort'
      : error !== null && this.#status !== null
        ? 'upstream-abort'
        : null
    request.unpipe()
    return {
      refusal: this.#refusal,
      aborted,
      status: this.#status,
      requestBytes: this.#exchange.body?.bytes ?? 0,
      responseBytes: this.#responseBytes,
      redactions: redactionsOf(this.#tally, this.#exchange.credential),
      detail: error === null || this.#clientGone ? null : codeOf(error),
    }
  }
}
