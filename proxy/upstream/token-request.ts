import type { Credential, TokenRequest, TokenResponse, Headers } from '#firewall/contracts/credential.js'
import type { Destination } from '#firewall/contracts/policy.js'
import type { Origin } from '#firewall/contracts/origin.js'
import type { Reason } from '#firewall/contracts/reasons.js'
import { ByteBlocks } from '../request/byte-blocks.js'
import type { ProxyContext } from '../context.js'
import type { ProxySnapshot } from '../snapshot.js'
import type { HttpDecision } from '../events.js'
import { required, type Exchange } from '../request/exchange.js'
import { connectionDecision } from '../request/records.js'
import { redactText, Tally } from '../redaction/redact.js'
import { codeOf, reasonOf } from './failures.js'
import { resolveOnce } from './resolve-upstream.js'
import type { ResolvedUpstream } from './pools.js'

/** Bytes of an answer: tokens are a few thousand, and an endpoint that never ends must not fill the memory. */
const MAX_RESPONSE = 262_144

/** A token request failed. The message is safe to log: it is made of names and codes alone. */
export class TokenRequestError extends Error {
  readonly code = 'EGRESS_GATEWAY_REQUEST'
}

/** Whom a token request is sent for. */
export interface TokenRequestContext {
  /** The sandbox's request that needs it. */
  readonly exchange: Pick<Exchange, 'id' | 'connection' | 'snapshot' | 'service' | 'sandbox'>
  /** Names the endpoints. */
  readonly credential: Pick<Credential, 'id' | 'endpoints' | 'secretPatterns'>
  /** Its `ca` and `private` hold. */
  readonly destination: Destination
}

/**
 * Sends a token request (for a token, say) as strictly as a sandbox's: the address is resolved once, checked
 * and pinned, the decision recorded before anything is sent, the certificate verified for the name, redirects not
 * followed, the answer bounded in bytes and time.
 *
 *     gateway ── request ──▶ endpoint
 *     gateway ◀── answer, whole ── endpoint        (the sandbox sees neither)
 *
 * @throws GateRequestError
 */
export async function sendTokenRequest(
  request: TokenRequest,
  tokenContext: TokenRequestContext,
  context: ProxyContext,
): Promise<TokenResponse> {
  const { url } = request
  const scheme = url.protocol === 'http:' ? 'http' : 'https'
  const port = url.port === '' ? (scheme === 'https' ? 443 : 80) : Number(url.port)
  const origin: Origin = { scheme, host: url.hostname, port }
  const { snapshot } = tokenContext.exchange
  const id = context.newId()
  const decide = (more: Partial<HttpDecision>) =>
    recordTokenRequest(request, origin, id, tokenContext, context, more)
  // Threat: a secret that changed, or an answer, leads the next one elsewhere than the policy was checked for.
  const known = tokenContext.credential.endpoints?.some(
    (one) => one.scheme === origin.scheme && one.host === origin.host && one.port === origin.port,
  )
  if (known !== true) {
    await decide({ reason: 'host-not-listed' })
    throw new TokenRequestError('the policy names no such endpoint')
  }
  const host = { kind: 'exact', host: url.hostname, text: url.hostname } as const
  const upstream = await resolveOnce(snapshot, origin, { ...tokenContext.destination, host })
  if ('reason' in upstream) {
    const { reason, detail } = upstream
    await decide({ reason, detail })
    throw new TokenRequestError(`${url.host}: ${detail ?? reason}`)
  }
  const startedAt = context.now()
  await decide({ address: upstream.addresses[0] ?? null })
  const answer = await exchangeWith(upstream, request, snapshot)
  const at = context.now()
  context.audit.close({
    at,
    id,
    sandbox: required(tokenContext.exchange.sandbox),
    outcome: answer.failure === null ? 'success' : 'failure',
    reason: answer.failure?.reason ?? null,
    detail: answer.failure?.detail ?? null,
    status: answer.status,
    requestBytes: Buffer.byteLength(request.body ?? ''),
    responseBytes: answer.body.length,
    durationMs: at - startedAt,
    redactions: [],
  })
  const { status, headers, body, failure } = answer
  if (status === null || failure !== null) {
    throw new TokenRequestError(`${url.host}: ${failure?.text ?? 'no answer'}`)
  }
  return { status, headers, body }
}

/** @throws GateRequestError when it cannot be recorded: then nothing may be sent */
async function recordTokenRequest(
  { method, url }: TokenRequest,
  origin: Origin,
  id: string,
  { exchange, credential, destination }: TokenRequestContext,
  { audit, now }: ProxyContext,
  more: Partial<HttpDecision>,
): Promise<void> {
  const event: HttpDecision = {
    ...connectionDecision(exchange.connection, { at: now(), id, kind: 'token', ...origin, ...more }),
    method,
    // Threat: whoever wrote the policy put a key into the URL. The query, where keys stand, is not recorded at all.
    path: redactText(url.pathname, credential.secretPatterns(), new Tally()),
    rule: destination.id,
    service: exchange.service,
    credential: credential.id,
    detail: more.detail ?? `for the request ${exchange.id}`,
    // Of its own it answers nobody.
    status: null,
  }
  try {
    await audit.decide(event)
  } catch {
    throw new TokenRequestError(`${url.host}: audit-unavailable`)
  }
}

interface WholeResponse {
  readonly status: number | null
  readonly headers: Headers
  readonly body: Buffer
  /** Why it is no use, with the text for the agent; null for an answer that was read to its end. */
  readonly failure: { readonly reason: Reason; readonly detail: string | null; readonly text: string } | null
}

/** Never rejects: what failed is told with as much of the answer as there was. */
async function exchangeWith(
  upstream: ResolvedUpstream,
  { method, url, headers, body }: TokenRequest,
  { policy, pools }: ProxySnapshot,
): Promise<WholeResponse> {
  const signal = AbortSignal.timeout(policy.http.responseTimeoutMs)
  const blocks = new ByteBlocks()
  let status: number | null = null
  let answered: Headers = {}
  const whole = (failure: WholeResponse['failure']): WholeResponse => {
    return { status, headers: answered, body: blocks.concat(), failure }
  }
  try {
    const answer = await pools.get(upstream).request({
      method,
      path: url.pathname + url.search,
      headers: { host: url.host, ...headers, 'accept-encoding': 'identity' },
      body,
      signal,
    })
    status = answer.statusCode
    answered = answer.headers as Headers
    for await (const chunk of answer.body) {
      blocks.append(chunk as Buffer)
      if (blocks.length > MAX_RESPONSE) {
        const text = 'the answer is too large'
        return whole({ reason: 'upstream-protocol', detail: text, text })
      }
    }
    return whole(null)
  } catch (error) {
    const reason = signal.aborted ? 'upstream-timeout' : reasonOf(error)
    const detail = codeOf(error)
    return whole({ reason, detail, text: `${reason} (${detail})` })
  }
}
