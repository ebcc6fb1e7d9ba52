import type { Headers } from '#firewall/contracts/credential.js'
import type { Origin } from '#firewall/contracts/origin.js'
import type { SecretPatterns } from '#firewall/secrets/secret-patterns.js'
import type { ProxyContext } from '../context/context.js'
import type { OpenStream, StreamEnd } from '../context/open-streams.js'
import { deny, denyFailure, type Denial } from '../contracts/denial.js'
import { codeOf } from '../contracts/errors.js'
import { dropSessions, isReadable, responseHeaders } from '../message/headers.js'
import { decodedHeaders, readCodings, type Coding } from '../redaction/content-coding.js'
import { excerptOf } from '../redaction/excerpt.js'
import { isUnaskedPart, trimRange, type TrimmedRange } from '../redaction/ranges.js'
import { trailersToPass } from '../message/trailers.js'
import { redactHeaders } from '../redaction/redact-headers.js'
import type { PatternsInForce } from '../redaction/redact.js'
import { bodyForm, isCodedGrpc, isReadableGrpc } from '../redaction/redactor-for.js'
import { confirmsUpload, withoutDigests } from '../redaction/searched-messages.js'
import { Tally } from '../redaction/tally.js'
import { detailOf, reasonOf } from '../upstream/failures.js'
import { UpstreamProtocolError } from '../upstream/errors.js'
import type { RawHeaders, UpstreamCall, UpstreamHandler } from '../upstream/upstream.js'
import { isFirstSecret, required, type Exchange, type ForwardResult } from './exchange.js'
import { redactionsOf } from './records.js'
import { busy } from './room.js'
import { secretFields } from './credential-locations.js'
import { requestTrailers } from './steering-headers.js'
import { ResponseBody } from './response-body.js'

/** Lines of a response's head. Each is searched and written again, in one turn of the event loop. */
const MAX_RESPONSE_LINES = 512

function linesOf(raw: RawHeaders): number {
  let lines = 0
  for (const name in raw) lines += Array.isArray(raw[name]) ? raw[name].length : 1
  return lines
}

function isChunked(coding: RawHeaders[string]): boolean {
  return coding === undefined || String(coding).toLowerCase() === 'chunked'
}

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
  return answered(exchange, await new Forwarding(exchange, context).run())
}

/** Tells the sandbox of a failure, if nothing of a response was sent yet. */
function answered(exchange: Exchange, result: ForwardResult): ForwardResult {
  const { downstream, flow } = exchange
  if (result.denial === null || result.aborted === 'client-abort') return result
  if (downstream.begun) {
    downstream.destroy()
    return result
  }
  return { ...result, status: downstream.deny(result.denial, flow.id) }
}

class Forwarding implements UpstreamHandler, OpenStream {
  readonly sandbox: OpenStream['sandbox']
  readonly origin: Origin
  readonly mode = 'intercept'
  readonly #exchange: Exchange
  readonly #context: ProxyContext
  readonly #inForce: PatternsInForce
  readonly #tally = new Tally()
  #body: ResponseBody | null = null
  #finish: (result: ForwardResult) => void = () => undefined
  #call: UpstreamCall | null = null
  #denial: Denial | null = null
  #status: number | null = null
  #clientGone = false
  /** Set by `end`. */
  #cut = false
  /** The upstream's response is complete; what is left is to write it out. */
  #ended = false
  /** Milliseconds since 1970. */
  #sentAt = 0
  #responseBytes = 0
  #isRefused = false
  /** It was sent again, since a connection had died. */
  #isRepeated = false
  /** The body is passed on in a coding that is not undone, as nothing was searched for when it began. */
  #coded = false

  constructor(exchange: Exchange, context: ProxyContext) {
    this.#exchange = exchange
    this.#context = context
    this.#inForce = () => context.snapshot().secretPatterns.current()
    this.sandbox = required(exchange.sandbox)
    this.origin = required(exchange.origin)
  }

  run(): Promise<ForwardResult> {
    const { downstream, outgoing, body, upstream, snapshot } = this.#exchange
    const { method, path, query, headers } = required(outgoing)
    const { locations = {} } = this.#exchange.credential ?? {}
    return new Promise((resolve) => {
      const forget = downstream.onGone(() => {
        this.#clientGone = true
        if (this.#ended) this.#finish(this.#result(null))
        else this.#call?.abort(new Error('the client went away'))
      })
      this.#finish = (result) => {
        forget()
        leave()
        this.#body?.destroy()
        resolve(result)
      }
      // Gone while the decision was written: nothing needs to be sent.
      this.#clientGone = downstream.gone
      const leave = this.#context.streams.add(this, snapshot, this.#context.snapshot)
      // The failure of a body reaches the upstream through its stream, which ends the request.
      const request = {
        method,
        path: path + query,
        headers,
        body: body?.content() ?? null,
        memory: this.#exchange.room?.memory ?? null,
        // Nobody was shown the trailers of a request that was approved.
        trailers:
          downstream.isHttp2 && this.#exchange.asks === null
            ? () => requestTrailers(downstream.trailers(), locations)
            : null,
        secretFields: secretFields(locations),
        isOnce: this.#exchange.asks !== null,
      }
      const open = () => {
        this.#sentAt = this.#context.now()
        snapshot.pools.open(required(upstream), request, this)
      }
      // A policy that came into force since the decision is asked in a microtask, and may end this before it began.
      if (this.#context.snapshot() === snapshot) open()
      else queueMicrotask(open)
    })
  }

  inTurn(work: () => void): void {
    this.#context.turns.do(required(this.#exchange.sandbox).id, work)
  }

  onStart(call: UpstreamCall): void {
    this.#call = call
    if (this.#clientGone) call.abort(new Error('the client went away'))
    else if (this.#cut) call.abort(new Error('the policy was changed'))
  }

  onRepeat(): void {
    this.#isRepeated = true
  }

  /** What the sandbox has had stays; when nothing was sent yet, it is told the reason. */
  end(reason: StreamEnd): void {
    if (this.#cut) return
    this.#cut = true
    this.#denial = deny(reason)
    // When the upstream has said all, what is left is to write it out, and that ends here.
    if (this.#ended) this.#exchange.downstream.destroy()
    else this.#call?.abort(new Error('the policy was changed'))
  }

  search(secretPatterns: SecretPatterns): void {
    if (this.#coded && isFirstSecret(secretPatterns, this.#exchange)) this.end('policy-changed')
  }

  onHead(call: UpstreamCall, status: number, raw: RawHeaders): void {
    const { credential, outgoing, flow } = this.#exchange
    flow.tookUpstream(this.#context.now() - this.#sentAt)
    credential?.onResponse?.(required(outgoing), status, this.#context.now())
    const codings = this.#codingsOf(status, raw)
    if ('reason' in codings) {
      this.#refuse(call, codings)
      return
    }
    if (codings.length > 0 && !required(this.#exchange.room).decodes(codings)) {
      this.#refuse(call, busy('no memory to decompress the response'))
      return
    }
    const part = this.#partOf(status, raw)
    if (part !== null && 'reason' in part) {
      this.#refuse(call, part)
      return
    }
    const headers = this.#headersOf(raw, codings, part)
    this.#status = part?.status ?? status
    const { downstream } = this.#exchange
    const isSearched = this.#inForce().bytes.length > 0
    const { memory } = required(this.#exchange.room)
    const form = bodyForm(raw, isSearched ? codings : null, this.#inForce, this.#tally, memory)
    const begin = () => {
      if (!downstream.begun) downstream.begin(part?.status ?? status, headers)
    }
    this.#body = new ResponseBody(
      form,
      part,
      downstream,
      begin,
      (error) => this.#failDecoding(error),
      (work) => this.inTurn(work),
    )
    // What does not even begin to decompress is answered with an error, not with the upstream's status.
    if (form.decode === null) begin()
    // An event stream's head goes out before its first event; a body that is there already goes out with its head.
    setImmediate(() => {
      if (this.#responseBytes > 0 || this.#ended || !downstream.sendsNow) return
      begin()
      downstream.flush()
    })
  }

  /** The response is not passed on. */
  #refuse(call: UpstreamCall, denial: Denial): void {
    this.#denial = denial
    this.#isRefused = true
    call.abort(new Error(denial.reason))
  }

  onData(call: UpstreamCall, chunk: Buffer): void {
    this.#responseBytes += chunk.length
    this.#body?.write(chunk, call)
  }

  onEnd(trailers: RawHeaders | null): void {
    this.#ended = true
    this.#body?.end(this.#trailersOf(trailers), () => this.#finish(this.#result(null)))
    if (this.#clientGone) this.#finish(this.#result(null))
  }

  onError(error: Error): void {
    const failure = this.#cut ? null : (this.#exchange.body?.failure ?? null)
    const forbidden = this.#cut ? null : (this.#exchange.body?.forbidden ?? null)
    if (forbidden !== null) this.#denial = forbidden
    else if (failure !== null) this.#denial = denyFailure(failure, null)
    if (this.#clientGone && !this.#cut) this.#denial = null
    else this.#denial ??= deny(reasonOf(error), { detail: this.#detailOf(error) })
    this.#finish(this.#result(error))
  }

  /** With what cannot be read, as far as it may be shown. */
  #detailOf(error: Error): string {
    if (!(error instanceof UpstreamProtocolError) || error.bytes.length === 0) return detailOf(error)
    const excerpt = excerptOf(error.bytes, error.at, this.#inForce())
    return excerpt === '' ? error.message : `${error.message}: ${excerpt}`
  }

  /** The codings to undo; a denial for a response that must not be passed on, because it cannot be read. */
  #codingsOf(status: number, raw: RawHeaders): readonly Coding[] | Denial {
    if (linesOf(raw) > MAX_RESPONSE_LINES)
      return deny('upstream-protocol', { detail: 'too many header lines' })
    if (status > 599) return deny('upstream-protocol', { detail: `status ${String(status)}` })
    // A coding of the connection, which nobody behind it can undo.
    if (!isChunked(raw['transfer-encoding']))
      return deny('upstream-protocol', { detail: 'the transfer coding is not chunked' })
    if (this.#inForce().bytes.length === 0) {
      this.#coded = readCodings(raw['content-encoding'])?.length !== 0 || isCodedGrpc(raw)
      return []
    }
    if (!isReadable(status, raw) || !isReadableGrpc(raw)) return deny('upstream-encoding')
    const codings = readCodings(raw['content-encoding'])
    // Without a body there is nothing to read.
    if (this.#exchange.method === 'HEAD' || status === 204 || status === 304) return codings ?? []
    if (codings === null) return deny('upstream-encoding')
    // A part of a compressed body cannot be decompressed.
    return status === 206 && codings.length > 0 ? deny('upstream-encoding') : codings
  }

  /** What the client gets of a wider range than it asked for; null where it asked for none, or gets the whole. */
  #partOf(status: number, raw: RawHeaders): TrimmedRange | Denial | null {
    const { range } = this.#exchange
    const detail = 'the upstream sent another range than it was asked for'
    if (status === 206 && range !== null)
      return trimRange(range, raw['content-range']) ?? deny('upstream-protocol', { detail })
    const isSearched = this.#inForce().bytes.length > 0
    return isSearched && isUnaskedPart(raw['content-range']) ? deny('upstream-protocol', { detail }) : null
  }

  #headersOf(raw: RawHeaders, codings: readonly Coding[], part: TrimmedRange | null): Headers {
    const { body, headers: sent, keepsSessions, method, snapshot } = this.#exchange
    const patterns = this.#inForce()
    const passed = responseHeaders(raw)
    if (keepsSessions) dropSessions(passed)
    if (patterns.bytes.length === 0) return passed
    if (part !== null) {
      passed['content-range'] = part.contentRange
      if (passed['content-length'] !== undefined) passed['content-length'] = String(part.take)
    }
    const isOfClient = body?.isReplaced !== true && confirmsUpload(method, sent, passed)
    const shown = isOfClient ? passed : withoutDigests(passed, snapshot.entityTags)
    const redacted = redactHeaders(shown, patterns, this.#tally)
    return codings.length === 0 && !isCodedGrpc(raw) ? redacted : decodedHeaders(redacted)
  }

  #trailersOf(raw: RawHeaders | null): Headers | null {
    const { keepsSessions, snapshot } = this.#exchange
    const passed = trailersToPass(raw)
    if (passed === null) return null
    if (keepsSessions) dropSessions(passed)
    const patterns = this.#inForce()
    if (patterns.bytes.length === 0) return passed
    return redactHeaders(withoutDigests(passed, snapshot.entityTags), patterns, this.#tally)
  }

  #failDecoding(error: Error): void {
    this.#denial = deny('upstream-encoding', { detail: codeOf(error) })
    if (!this.#ended) this.#call?.abort(error)
    this.#finish(this.#result(error))
  }

  #result(error: Error | null): ForwardResult {
    const aborted = this.#clientGone
      ? 'client-abort'
      : error !== null && this.#status !== null
        ? 'upstream-abort'
        : null
    this.#exchange.downstream.dropBody()
    const repeated = this.#isRepeated ? 'sent again: the upstream had closed an idle connection' : null
    return {
      denial: this.#denial,
      aborted,
      status: this.#status,
      requestBytes: this.#exchange.body?.bytes ?? 0,
      responseBytes: this.#responseBytes,
      redactions: redactionsOf(this.#tally, this.#exchange.credential),
      detail:
        error === null || this.#isRefused || this.#clientGone || this.#cut
          ? repeated
          : (this.#denial?.detail ?? this.#detailOf(error)),
    }
  }
}
