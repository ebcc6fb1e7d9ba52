import type { Credential, TokenRequest, TokenResponse, Headers } from '#firewall/contracts/credential.js'
import type { Destination, Policy } from '#firewall/contracts/policy.js'
import type { Origin } from '#firewall/contracts/origin.js'
import type { RegisteredSandbox } from '#firewall/contracts/identity.js'
import type { Reason } from '#firewall/contracts/reasons.js'
import { defaultPort } from '#firewall/names/default-port.js'
import type { ConnectionInfo } from '../contracts/connection.js'
import { TokenRequestError } from '../contracts/errors.js'
import type { HttpDecision } from '../contracts/events.js'
import type { Recorder } from '../contracts/recorder.js'
import { ByteBlocks } from '../message/byte-blocks.js'
import { redactText } from '../redaction/redact.js'
import { Tally } from '../redaction/tally.js'
import { connectionDecision } from '../records/connection-decision.js'
import { Flow } from '../records/flow.js'
import { detailOf, reasonOf } from './failures.js'
import { resolveOnce } from './resolve-upstream.js'
import type { Authorities } from './authorities.js'
import type { UpstreamResolver } from './resolver.js'
import type { ResolvedUpstream, UpstreamCall, Upstreams } from './upstream.js'

/** Bytes of an answer: tokens are a few thousand, and an endpoint that never ends must not fill the memory. */
const MAX_RESPONSE = 262_144

/** Milliseconds for an answer, if the policy gives an upstream more: a token takes no thought, and a request waits for it. */
const MAX_TIMEOUT_MS = 60_000

/** Whom a token request is sent for. */
export interface TokenRequestContext {
  /** The sandbox's request that needs it. */
  readonly requestId: string
  readonly connection: ConnectionInfo
  readonly sandbox: RegisteredSandbox
  readonly service: string | null
  readonly policy: Policy
  readonly resolver: UpstreamResolver
  readonly authorities: Authorities
  readonly upstreams: Upstreams
  /** Names the endpoints. */
  readonly credential: Pick<Credential, 'id' | 'endpoints' | 'secretPatterns'>
  /** Its `ca` and `allowPrivateAddresses` hold. */
  readonly destination: Destination
}

/**
 * Sends a token request as strictly as a sandbox's: the address is resolved once, checked
 * and pinned, the decision recorded before anything is sent, the certificate verified for the name, redirects not
 * followed, the answer bounded in bytes and time.
 *
 *     gateway ── request ──▶ endpoint
 *     gateway ◀── answer, whole ── endpoint        (the sandbox sees neither)
 *
 * @throws TokenRequestError
 */
export async function sendTokenRequest(
  request: TokenRequest,
  tokenContext: TokenRequestContext,
  recorder: Recorder,
): Promise<TokenResponse> {
  const { url } = request
  const scheme = url.protocol === 'http:' ? 'http' : 'https'
  const port = url.port === '' ? defaultPort(scheme) : Number(url.port)
  const origin: Origin = { scheme, host: url.hostname, port }
  const flow = new Flow(recorder)
  const decide = (more: Partial<HttpDecision>) =>
    recordTokenRequest(request, origin, flow, tokenContext, recorder, more)
  // Threat: a secret that changed, or an answer, leads the next one elsewhere than the policy was checked for.
  const known = tokenContext.credential.endpoints?.some(
    (one) => one.scheme === origin.scheme && one.host === origin.host && one.port === origin.port,
  )
  if (known !== true) {
    await decide({ reason: 'host-not-listed' })
    throw new TokenRequestError('the policy names no such endpoint')
  }
  const host = { kind: 'exact', host: url.hostname, text: url.hostname } as const
  // The gateway's own connections: what a sandbox sends never travels on them.
  const owner = { sandbox: null, destination: tokenContext.credential.id }
  const upstream = await resolveOnce(tokenContext, origin, { ...tokenContext.destination, host }, owner)
  if ('reason' in upstream) {
    const { reason, detail } = upstream
    await decide({ reason, detail })
    throw new TokenRequestError(`${url.host}: ${detail ?? reason}`)
  }
  await decide({ address: upstream.addresses[0] ?? null })
  const { status, headers, body, failure } = await exchangeWith(upstream, request, tokenContext)
  flow.close({
    outcome: failure === null ? 'success' : 'failure',
    reason: failure?.reason ?? null,
    detail: failure?.detail ?? null,
    status,
    requestBytes: Buffer.byteLength(request.body ?? ''),
    responseBytes: body.length,
    redactions: [],
  })
  if (status === null || failure !== null) {
    throw new TokenRequestError(`${url.host}: ${failure?.text ?? 'no answer'}`)
  }
  return { status, headers, body }
}

/** @throws TokenRequestError when it cannot be recorded: then nothing may be sent */
async function recordTokenRequest(
  { method, url }: TokenRequest,
  origin: Origin,
  flow: Flow,
  { requestId, connection, sandbox, service, credential, destination }: TokenRequestContext,
  { now }: Recorder,
  more: Partial<HttpDecision>,
): Promise<void> {
  const event: HttpDecision = {
    ...connectionDecision(connection, { at: now(), id: flow.id, kind: 'token', sandbox, ...origin, ...more }),
    method,
    // Threat: whoever wrote the policy put a key into the URL. The query, where keys stand, is not recorded at all.
    path: redactText(url.pathname, credential.secretPatterns(), new Tally()),
    rule: destination.id,
    service,
    credential: credential.id,
    detail: more.detail ?? `for the request ${requestId}`,
  }
  try {
    await flow.decide(event)
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
function exchangeWith(
  upstream: ResolvedUpstream,
  { method, url, headers, body }: TokenRequest,
  { policy, upstreams }: TokenRequestContext,
): Promise<WholeResponse> {
  const blocks = new ByteBlocks()
  let status: number | null = null
  let answered: Headers = {}
  let call: UpstreamCall | null = null
  return new Promise((resolve) => {
    const settle = (failure: WholeResponse['failure']) => {
      clearTimeout(timer)
      resolve({ status, headers: answered, body: blocks.concat(), failure })
    }
    const settleFailed = (reason: Reason, detail: string, text = `${reason} (${detail})`) =>
      settle({ reason, detail, text })
    const timeoutMs = Math.min(policy.http.responseTimeoutMs, MAX_TIMEOUT_MS)
    let late = false
    const timer = setTimeout(() => {
      late = true
      settleFailed('upstream-timeout', `no answer within ${String(timeoutMs / 1000)} s`)
      call?.abort(new Error('the answer is late'))
    }, timeoutMs)
    const request = {
      method,
      path: url.pathname + url.search,
      headers: { host: url.host, ...headers, 'accept-encoding': 'identity' },
      body,
    }
    upstreams.open(upstream, request, {
      onStart(started) {
        call = started
        if (late) started.abort(new Error('the answer is late'))
      },
      onHead(_call, code, raw) {
        status = code
        answered = raw as Headers
      },
      onData(_call, chunk) {
        if (blocks.length + chunk.length > MAX_RESPONSE) {
          const text = 'the answer is too large'
          settleFailed('upstream-protocol', text, text)
          call?.abort(new Error(text))
        } else blocks.append(chunk)
      },
      onEnd: () => settle(null),
      onError: (error) => settleFailed(reasonOf(error), detailOf(error)),
    })
  })
}
