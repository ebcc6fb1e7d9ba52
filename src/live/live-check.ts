import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Credential, OutgoingRequest, TokenResponse } from '#firewall/contracts/credential.js'
import { DEFAULT_AGENT } from '#firewall/contracts/identity.js'
import type { Origin } from '#firewall/contracts/origin.js'
import type { Destination, Policy } from '#firewall/contracts/policy.js'
import { Ledger } from '#firewall/ledger/ledger.js'
import { authorityText } from '#firewall/names/default-port.js'
import { createProxySnapshot, type ProxySnapshot } from '#proxy/context/snapshot.js'
import type { Recorder } from '#proxy/contracts/recorder.js'
import { dial } from '#proxy/upstream/dial.js'
import { detailOf, reasonOf } from '#proxy/upstream/failures.js'
import { resolveOnce } from '#proxy/upstream/resolve-upstream.js'
import { sendTokenRequest } from '#proxy/upstream/token-request.js'
import { quoteAnswer } from './quote-answer.js'

/** What was tried, and what came of it. */
export interface LiveResult {
  /** Id of the destination or credential in the policy. */
  readonly id: string
  /** What was asked, for people. */
  readonly what: string
  readonly outcome: 'works' | 'fails' | 'not-tried'
  /** How it works, or why it does not; holds no secret. */
  readonly detail: string
  /** What a token endpoint answered where that was of no use. */
  readonly answer: string | null
}

/** Connections that are made at once. */
const AT_ONCE = 8

/**
 * Tries what the gateway would need for a policy, from where this process is: a connection to each upstream, with its certificate
 * verified, and a token for each credential that needs one. Sends no request to an upstream.
 */
export async function checkLive(
  policy: Policy,
  now: () => number = Date.now,
): Promise<readonly LiveResult[]> {
  const snapshot = createProxySnapshot(policy, new Ledger(), now)
  try {
    const upstreams = policy.destinations.flatMap((destination) =>
      destination.ports.map((port) => () => tryUpstream(snapshot, destination, port)),
    )
    const tokens = [...policy.services.values()].flatMap(({ name, credential }) => {
      const destination = policy.destinations.find(({ service }) => service === name)
      const isAsked = credential !== null && (credential.endpoints ?? []).length > 0
      return isAsked && destination !== undefined
        ? [() => tryToken(snapshot, name, credential, destination, now)]
        : []
    })
    return await severalAtOnce([...upstreams, ...tokens])
  } finally {
    snapshot.resolver.retire()
    await snapshot.pools.close()
  }
}

async function tryUpstream(
  snapshot: ProxySnapshot,
  destination: Destination,
  port: number,
): Promise<LiveResult> {
  const { id, host, scheme, service } = destination
  const what = `${scheme}://${authorityText(scheme, host.text, port)}`
  const tell = (outcome: LiveResult['outcome'], detail: string) => ({
    id,
    what,
    outcome,
    detail,
    answer: null,
  })
  if (host.kind === 'wildcard') return tell('not-tried', 'a wildcard is no name')
  const origin: Origin = { scheme, host: host.host, port }
  const { credential = null } = snapshot.policy.services.get(service ?? '') ?? {}
  const clientCertificate = credential?.clientCertificate ?? null
  const owner = { sandbox: null, destination: id }
  const upstream = await resolveOnce(snapshot, origin, destination, owner, {
    clientCertificate,
    knowsHttp2: false,
  })
  if ('reason' in upstream) return tell('fails', `${upstream.reason} (${upstream.detail ?? 'no detail'})`)
  try {
    const timeoutMs = snapshot.policy.http.connectTimeoutMs
    const socket = await dial(upstream, { timeoutMs, alpn: ['h2', 'http/1.1'] })
    const detail = describe(socket, scheme)
    socket.destroy()
    return tell('works', detail)
  } catch (error) {
    return tell('fails', `${reasonOf(error)} (${detailOf(error)})`)
  }
}

function describe(socket: Socket, scheme: Origin['scheme']): string {
  const address = socket.remoteAddress ?? 'an address'
  if (scheme === 'http') return `reached at ${address}, without TLS`
  const { alpnProtocol } = socket as TLSSocket
  const version = (socket as TLSSocket).getProtocol() ?? 'TLS'
  return `reached at ${address}, ${version}, ${alpnProtocol === 'h2' ? 'HTTP/2' : 'HTTP/1.1'}`
}

async function tryToken(
  snapshot: ProxySnapshot,
  service: string,
  credential: Credential,
  destination: Destination,
  now: () => number,
): Promise<LiveResult> {
  const { policy, resolver, authorities, pools: upstreams } = snapshot
  const what = `a token from ${(credential.endpoints ?? []).map(({ host }) => host).join(' and ')}`
  const tell = (outcome: LiveResult['outcome'], detail: string, answer: string | null = null) => ({
    ...{ id: credential.id, what, outcome },
    ...{ detail, answer },
  })
  // Threat: an endpoint that takes each refresh token once takes this for theft, and revokes the gateway's.
  if (credential.usesUpSecrets === true)
    return tell('not-tried', 'a refresh token can be used up, and a running gateway may have the next one')
  const context = {
    ...{ requestId: 'check', connection: NO_CONNECTION, sandbox: NO_SANDBOX, service },
    ...{ policy, resolver, authorities, upstreams, credential, destination },
  }
  const answers: TokenResponse[] = []
  const failure = await credential.inject(requestTo(destination), {
    now,
    async send(request) {
      const answer = await sendTokenRequest(request, context, { ...NO_RECORD, now })
      answers.push(answer)
      return answer
    },
  })
  if (failure === null) return tell('works', 'got one')
  const last = answers.at(-1)
  const answer = last === undefined ? null : quoteAnswer(last, credential.secretPatterns())
  return tell('fails', failure.detail ?? failure.reason, answer)
}

const NO_SANDBOX = { id: 'check', agent: DEFAULT_AGENT, placeholders: new Map<string, string>() }

const NO_CONNECTION = {
  listener: 'reverse',
  sandbox: null,
  peer: { address: '127.0.0.1', port: 0 },
  host: null,
  scheme: null,
  port: null,
} as const

/** An operator's question is no traffic of a sandbox, and no log is open for it. */
const NO_RECORD: Omit<Recorder, 'now'> = {
  audit: { decide: () => Promise.resolve(), close: () => undefined },
  newId: () => 'check',
}

/** One that is never sent. */
function requestTo({ scheme, host, ports }: Destination): OutgoingRequest {
  const name = host.kind === 'exact' ? host.host : `a.${host.suffix}`
  return {
    method: 'GET',
    origin: { scheme, host: name, port: ports[0] ?? 443 },
    path: '/',
    query: '',
    headers: { host: name },
    body: null,
    sent: { headers: {}, query: '' },
    placeholders: new Map(),
  }
}

async function severalAtOnce(tasks: readonly (() => Promise<LiveResult>)[]): Promise<readonly LiveResult[]> {
  const results: LiveResult[] = []
  let next = 0
  const work = async () => {
    for (let index = next++; index < tasks.length; index = next++) {
      const result = await tasks[index]?.()
      if (result !== undefined) results[index] = result
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return results
}
