import type { Credential, GateRequest, GateResponse, Headers } from '#firewall/credential.js'
import type { Destination, Origin } from '#firewall/policy.js'
import type { ProxyContext } from '../context.js'
import { codeOf, reasonOf } from './failures.js'
import { resolveOnce } from './pin.js'

/** Bytes of an answer: tokens are a few thousand, and an endpoint that never ends must not fill the memory. */
const MAX_ANSWER = 262_144

/** A request of the gate's own failed. The message is safe to log: it is made of names and codes alone. */
export class GateRequestError extends Error {
  readonly code = 'EGRESS_GATE_REQUEST'
}

/**
 * Sends a request of the gate's own (for a token, say) as strictly as a sandbox's: the address is resolved once, judged
 * and pinned, the certificate verified for the name, redirects not followed, the answer bounded in bytes and time.
 *
 *     gate ── request ──▶ endpoint
 *     gate ◀── answer, whole ── endpoint        (the sandbox sees neither)
 *
 * @param credential that it is sent for: it names the endpoints
 * @param destination whose `ca` and `private` hold for it
 * @throws GateRequestError
 */
export async function sendGateRequest(
  { method, url, headers, body }: GateRequest,
  credential: Pick<Credential, 'endpoints'>,
  destination: Destination,
  context: ProxyContext,
): Promise<GateResponse> {
  const scheme = url.protocol === 'http:' ? 'http' : 'https'
  const port = url.port === '' ? (scheme === 'https' ? 443 : 80) : Number(url.port)
  const origin: Origin = { scheme, host: url.hostname, port }
  // Threat: a secret that changed, or an answer, leads the next one elsewhere than the policy was checked for.
  const known = credential.endpoints?.some(
    (one) => one.scheme === origin.scheme && one.host === origin.host && one.port === origin.port,
  )
  if (known !== true) throw new GateRequestError('the policy names no such endpoint')
  const host = { kind: 'exact', host: url.hostname, text: url.hostname } as const
  const upstream = await resolveOnce(context, origin, { ...destination, host })
  if ('reason' in upstream) throw new GateRequestError(`${url.host}: ${upstream.detail ?? upstream.reason}`)
  const limits = context.policy.http
  const signal = AbortSignal.timeout(limits.responseTimeoutMs)
  try {
    const answer = await context.pools.get(upstream).request({
      method,
      path: url.pathname + url.search,
      headers: { host: url.host, ...headers, 'accept-encoding': 'identity' },
      body,
      signal,
    })
    const chunks: Buffer[] = []
    let length = 0
    for await (const chunk of answer.body) {
      length += (chunk as Buffer).length
      if (length > MAX_ANSWER) throw new GateRequestError(`${url.host}: the answer is too large`)
      chunks.push(chunk as Buffer)
    }
    return { status: answer.statusCode, headers: answer.headers as Headers, body: Buffer.concat(chunks) }
  } catch (error) {
    if (error instanceof GateRequestError) throw error
    const reason = signal.aborted ? 'upstream-timeout' : reasonOf(error)
    throw new GateRequestError(`${url.host}: ${reason} (${codeOf(error)})`, { cause: error })
  }
}
