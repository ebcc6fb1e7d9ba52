import type { Duplex } from 'node:stream'
import type { Headers } from '#firewall/contracts/credential.js'
import type { ProxyContext } from '../context/context.js'
import type { OpenStream, StreamEnd } from '../context/open-streams.js'
import { deny, type Denial } from '../contracts/denial.js'
import { FrameReader } from '../message/frame-reader.js'
import { dropSessions, responseHeaders } from '../message/headers.js'
import { handshakeError } from '../message/websocket-handshake.js'
import { redactHeaders } from '../redaction/redact-headers.js'
import { Tally } from '../redaction/tally.js'
import { FrameRedactor } from '../redaction/websocket-frames.js'
import { detailOf, reasonOf } from '../upstream/failures.js'
import { timeoutText } from '../upstream/response-deadline.js'
import type { RawHeaders } from '../upstream/upstream.js'
import { openWebSocket } from '../upstream/websocket.js'
import { isFirstSecret, required, type Exchange, type ForwardResult } from './exchange.js'
import { redactionsOf } from './records.js'

/**
 * Passes a WebSocket through (RFC 6455 section 4).
 *
 *     sandbox ── GET, Upgrade ──▶ gateway ── + credential ──▶ upstream
 *     sandbox ◀── 101, frames ─── gateway ◀─── 101, frames ─── upstream
 *
 * The handshake is the gateway's own on both sides: it sends a key that the client does not know, so a 101 without the matching
 * `Sec-WebSocket-Accept` is an error, and afterwards only frames pass, in both directions.
 *
 * A refusal is answered with the upstream's status (401, 426, …), without its body. Never rejects.
 */
export function forwardUpgrade(exchange: Exchange, context: ProxyContext): Promise<ForwardResult> {
  const { downstream, snapshot, flow } = exchange
  const inForce = () => context.snapshot().secretPatterns.current()
  const outgoing = required(exchange.outgoing)
  const upgrade = required(downstream.upgrade)
  const tally = new Tally()
  const redactor =
    snapshot.secretPatterns.current().bytes.length === 0 ? null : new FrameRedactor(inForce, tally)
  const frames = { ofClient: new FrameReader('client'), ofServer: new FrameReader('server') }
  const bytes = { ofClient: 0, ofServer: 0 }

  return new Promise((resolve) => {
    let status: number | null = null
    let told: number | null = null
    let denial: Denial | null = null
    let malformed: Denial | null = null
    let done = false
    let call: { destroy(): void } | null = null
    const settle = (aborted: ForwardResult['aborted']) => {
      if (done) return
      done = true
      forgetShutdown()
      forgetClient()
      leave()
      resolve({
        denial,
        aborted,
        status: status ?? told,
        requestBytes: bytes.ofClient,
        responseBytes: bytes.ofServer,
        redactions: redactionsOf(tally, exchange.credential),
        detail: denial?.detail ?? null,
      })
    }
    const fail = (reason: Denial, answer?: number) => {
      if (status !== null || denial !== null) return
      denial = reason
      told = downstream.deny(reason, flow.id, answer)
      settle(null)
      call?.destroy()
    }
    const cut = (reason: 'shutting-down' | StreamEnd) => {
      fail(deny(reason))
      // What was upgraded before ends like a connection that broke.
      denial ??= deny(reason)
      settle(null)
      call?.destroy()
    }
    const forgetShutdown = context.shutdown.onStart(() => cut('shutting-down'))
    const stream: OpenStream = {
      sandbox: required(exchange.sandbox),
      origin: required(exchange.origin),
      mode: 'intercept',
      end: cut,
      search(patterns) {
        // Without a redactor messages may be compressed, and nothing can be found in them.
        if (redactor === null && isFirstSecret(patterns, exchange)) cut('policy-changed')
      },
    }
    const leave = context.streams.add(stream, snapshot, context.snapshot)
    const forgetClient = downstream.onGone(() => call?.destroy())
    const request = { path: outgoing.path + outgoing.query, headers: outgoing.headers }
    call = openWebSocket(required(exchange.upstream), request, snapshot.policy.http, {
      onRefused(answer) {
        exchange.credential?.onResponse?.(outgoing, answer, context.now())
        const isError = answer >= 400 && answer < 600
        fail(deny('upgrade-refused', { detail: `status ${String(answer)}` }), isError ? answer : undefined)
      },
      inTurn: (work) => context.turns.do(required(exchange.sandbox).id, work),
      onTimeout: () =>
        fail(deny('upstream-timeout', { detail: timeoutText(snapshot.policy.http.responseTimeoutMs) })),
      onError: (error) => fail(deny(reasonOf(error), { detail: detailOf(error) })),
      onAccepted(headers): Duplex | null {
        if (denial !== null) return null
        const error = handshakeError(outgoing.headers, headers)
        if (error !== null) {
          fail(deny('upstream-protocol', { detail: error }))
          return null
        }
        status = 101
        return upgrade.accept(redactHeaders(passedHeaders(headers, exchange), inForce(), tally))
      },
      onBytes(chunk) {
        bytes.ofServer += chunk.length
        const read = frames.ofServer.push(chunk)
        const clean = read === null || redactor === null ? read : redactor.push(read)
        if (clean === null) malformed ??= deny('upstream-protocol', { detail: 'not a WebSocket frame' })
        return clean
      },
      onClientBytes(chunk) {
        bytes.ofClient += chunk.length
        const read = frames.ofClient.push(chunk)
        if (read === null)
          malformed ??= deny('bad-framing', { detail: 'the client did not send a WebSocket frame' })
        return read
      },
      onClose() {
        if (malformed !== null) denial = malformed
        if (denial === null || malformed !== null) settle(status === null ? 'client-abort' : null)
        upgrade.close()
      },
    })
    // Gone while the decision was written: nothing needs to be sent.
    if (downstream.gone) call.destroy()
  })
}

function passedHeaders(raw: RawHeaders, { keepsSessions }: Exchange): Headers {
  const headers = responseHeaders(raw)
  if (keepsSessions) dropSessions(headers)
  return headers
}
