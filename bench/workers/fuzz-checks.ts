import type { TestGateway } from '#test/fixtures/gateway.js'

/** What is injected where the policy has a credential. */
export const TOKEN = 'real-token-0123456789abcdef'

/** Hosts whose requests get it. */
export const WITH_CREDENTIAL: readonly string[] = ['api.example', 'tls.example']

const STEERS = /^(?:x-(?:forwarded|original|rewrite)-|forwarded$|proxy-)/
/** Under another spelling these become themselves in CGI. */
const MEANS = /^(?:content-length|transfer-encoding|x-http-method.*)$/

/** One version of HTTP under attack. */
export interface FuzzTarget {
  /** Makes everything that a round sends from its seed. */
  play(seed: number): Promise<Round>
  close(): Promise<void>
}

export interface Round {
  readonly findings: string[]
  /** Connections or requests that reached the upstream. */
  readonly requests: number
}

/** A request as an upstream read it; `host` is among the headers. */
export interface SentRequest {
  readonly method: string
  readonly target: string
  readonly headers: ReadonlyMap<string, string>
}

export function checkFailures({ failures }: TestGateway): string[] {
  return failures.map(
    (failure) => `the gateway failed: ${failure instanceof Error ? (failure.stack ?? '') : String(failure)}`,
  )
}

/** What upstreams were sent was recorded and allowed, with the right credential and nothing that steers them. */
export function checkSent({ decisions }: TestGateway, requests: readonly SentRequest[]): string[] {
  const findings: string[] = []
  const allowed = decisions
    .filter(({ verdict }) => verdict === 'allow')
    .map(({ method, path, query, host }) => `${host ?? ''} ${method ?? ''} ${path ?? ''}${query ?? ''}`)
  // A safe request is sent once more when its kept-alive connection ends without an answer.
  const repeatable = allowed.filter((asked) => / (?:GET|HEAD|OPTIONS) /.test(asked))
  for (const { method, target, headers } of requests) {
    const host = headers.get('host') ?? ''
    const asked = `${host} ${method} ${target}`
    const index = allowed.indexOf(asked)
    const again = index < 0 ? repeatable.indexOf(asked) : -1
    if (again >= 0) repeatable.splice(again, 1)
    else if (index < 0)
      findings.push(`not recorded as allowed: ${JSON.stringify(asked)}, of ${JSON.stringify(allowed)}`)
    else allowed.splice(index, 1)
    if (/^\/admin/i.test(target)) findings.push(`denied by a rule: ${target}`)
    const authorization = headers.get('authorization')
    const wanted = WITH_CREDENTIAL.includes(host) ? `Bearer ${TOKEN}` : authorization
    if (authorization !== wanted || (!WITH_CREDENTIAL.includes(host) && authorization?.includes(TOKEN)))
      findings.push(`the wrong credential for ${asked}: ${authorization ?? 'none'}`)
    for (const name of headers.keys()) {
      const plain = name.replace(/[^a-z0-9]/g, '-')
      if (STEERS.test(plain) || (name !== plain && MEANS.test(plain)))
        findings.push(`a header that steers: ${name}`)
    }
  }
  return findings
}

/** Waits for the end of everything that was allowed, so that nothing of this round comes in the next. */
export async function untilOver(gateway: TestGateway): Promise<string[]> {
  const isOver = () =>
    gateway.decisions.filter(({ verdict }) => verdict === 'allow').length === gateway.closes.length
  for (let wait = 0; wait < 1_200 && !(isOver() && gateway.heldBytes() === 0); wait += 1)
    await new Promise((resolve) => setTimeout(resolve, 10))
  const findings: string[] = []
  const closed = new Set(gateway.closes.map(({ id }) => id))
  for (const { id, verdict, kind, method, host, path } of gateway.decisions)
    if (verdict === 'allow' && !closed.has(id))
      findings.push(`a ${kind} has no closing record: ${method ?? ''} ${host ?? ''}${path ?? ''}`)
  if (gateway.heldBytes() > 0) findings.push(`${String(gateway.heldBytes())} bytes are held of nobody`)
  return findings
}

export function forget(gateway: TestGateway): void {
  gateway.decisions.length = 0
  gateway.closes.length = 0
  gateway.failures.length = 0
}
