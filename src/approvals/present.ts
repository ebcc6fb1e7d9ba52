import { authorityText } from '#firewall/names/default-port.js'
import type { Headers } from '#firewall/contracts/credential.js'
import { describeRule } from '#firewall/policy-engine/describe.js'
import { policyFragment } from './fragment.js'
import type { ShownApproval } from './desk.js'

/** Characters of all headers that are shown. */
const MAX_HEADERS = 16_384

/** Bytes of a body in a list; all of it is shown with one approval. */
const EXCERPT_BYTES = 1_024

/** An approval as the admin listener tells it: plain data, and nothing in it is more than text. */
export interface PresentedApproval {
  readonly id: string
  readonly state: ShownApproval['state']
  /** ISO 8601, UTC. Likewise `expires`. */
  readonly asked: string
  readonly expires: string
  readonly repeats: boolean
  readonly used: number
  readonly sandbox: string
  readonly agent: string
  readonly request_id: string
  readonly kind: 'request' | 'upgrade'
  readonly method: string
  readonly url: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** Headers that are not shown. */
  readonly more_headers: number
  readonly body: PresentedBody
  readonly operations: string | null
  /** Those that ask. */
  readonly rules: readonly { readonly id: string; readonly text: string; readonly meaning: string }[]
  readonly service: string | null
  readonly credential: string | null
  /** What approving it allows beyond this one request, by scope. */
  readonly adds: { readonly once: string; readonly for: string; readonly always: string }
  /** What a policy needs to allow such requests without asking. */
  readonly fragment: string
}

export interface PresentedBody {
  readonly bytes: number
  readonly sha256: string
  /** As text if all of it is valid UTF-8, otherwise in base64. */
  readonly encoding: 'utf8' | 'base64'
  readonly content: string
  /** Bytes that are not in `content`. */
  readonly omitted: number
}

/** @param isWhole with all of the body and not only its beginning */
export function presentApproval(shown: ShownApproval, isWhole: boolean): PresentedApproval {
  const { request } = shown
  const { scheme, host, port } = request.origin
  const headers = presentHeaders(request.headers)
  return {
    id: shown.id,
    state: shown.state,
    asked: new Date(shown.asked).toISOString(),
    expires: new Date(shown.expires).toISOString(),
    repeats: shown.repeats,
    used: shown.used,
    sandbox: request.sandbox.id,
    agent: request.sandbox.agent,
    request_id: request.requestId,
    kind: request.kind,
    method: request.method,
    url: `${scheme}://${authorityText(scheme, host, port)}${request.target}`,
    headers: headers.kept,
    more_headers: headers.omitted,
    body: presentBody(request.body, request.digest, isWhole ? Infinity : EXCERPT_BYTES),
    operations: request.operations,
    rules: request.rules.map((rule) => ({ id: rule.id, text: rule.text, meaning: describeRule(rule) })),
    service: request.service,
    credential: request.credential,
    adds: additions(shown),
    fragment: policyFragment(request),
  }
}

function presentHeaders(headers: Headers) {
  const all = Object.entries(headers).flatMap(([name, value]) =>
    [value].flat().map((line) => [name, line] as const),
  )
  const kept: (readonly [string, string])[] = []
  let size = 0
  for (const pair of all) {
    size += pair[0].length + pair[1].length
    if (size > MAX_HEADERS) break
    kept.push(pair)
  }
  return { kept, omitted: all.length - kept.length }
}

function presentBody(body: Buffer, sha256: string, limit: number): PresentedBody {
  const part = body.length > limit ? body.subarray(0, limit) : body
  const text = decode(part, part.length < body.length)
  return {
    bytes: body.length,
    sha256,
    encoding: text === null ? 'base64' : 'utf8',
    content: text ?? part.toString('base64'),
    omitted: body.length - part.length,
  }
}

/** Null if the bytes are not text. @param isCut whether a character may be cut at the end */
function decode(bytes: Buffer, isCut: boolean): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, { stream: isCut })
  } catch {
    return null
  }
}

function additions({ request, expires, asked }: ShownApproval): PresentedApproval['adds'] {
  const { kind, sandbox } = request
  const minutes = Math.round((expires - asked) / 60_000)
  const within = minutes < 1 ? 'within seconds' : `within ${String(minutes)} min`
  const unseen =
    kind === 'upgrade'
      ? ' It opens a WebSocket: nobody sees the messages that follow, in either direction.'
      : ''
  return {
    once: `Nothing beyond this request, which passes once, ${within}, from sandbox ${sandbox.id} alone.${unseen}`,
    for: `Exactly this request may be sent again and again in this time, from sandbox ${sandbox.id} alone.${unseen}`,
    always: `Nothing beyond this request now. The policy fragment, once you add it, allows such requests with any headers and body, from every sandbox whose agent may use ${request.service ?? 'the host'}.${unseen}`,
  }
}

/** What a webhook is told of a new approval: what it is about, without headers and body, which may be for few eyes. */
export function webhookMessage(shown: ShownApproval) {
  const { id, expires, sandbox, agent, kind, method, url, body, rules, service, credential } =
    presentApproval(shown, false)
  const { bytes, sha256 } = body
  const approval = { id, expires, sandbox, agent, kind, method, url, body: { bytes, sha256 } }
  return { event: 'approval-requested', approval: { ...approval, rules, service, credential } }
}
