import { inspect } from 'node:util'
import type { RequestListener } from 'node:http'
import type { Test } from 'tap'
import type { CredentialKind } from '#firewall/credential.js'
import { Secret } from '#firewall/secret.js'
import { oauth2 } from '#proxy/credentials/oauth2.js'
import { CertificateAuthority } from '#proxy/tls/authority.js'
import { ask, type Answer } from './ask.js'
import { startGate, SANDBOX, type TestGate } from './gate.js'
import { oneServicePolicy } from './policy.js'
import { TokenIssuer } from './token-issuer.js'
import { startUpstream, type Upstream } from './upstream.js'

export const CLIENT_SECRET = 'client+secret/0123456789'
export const REFRESH = 'refresh-token-0123456789'
export const SCOPE = 'https://www.example/auth/read'

export const plain = (text: string) => new Secret('plain text', text, [])

/** A client that the issuer knows. */
export const CLIENT = {
  token_url: plain('https://login.example/token'),
  client_id: plain('me'),
  client_secret: new Secret('CLIENT_SECRET', CLIENT_SECRET),
  scope: plain(SCOPE),
}

/** The gate between an API and the issuer of its tokens. */
export interface Setting {
  readonly gate: TestGate
  readonly issuer: TokenIssuer
  readonly endpoint: Upstream
  readonly api: Upstream
  readonly pass: (ms: number) => void
  /** Asks the API; every answer is kept for the last look. */
  readonly ask: (path?: string, headers?: Record<string, string>) => Promise<Answer>
  /** Nothing that a log or a sandbox got holds one of these, or a token. */
  readonly checkSecrecy: (t: Test, ...more: string[]) => void
}

interface Parts {
  readonly kind?: CredentialKind
  readonly values?: Record<string, Secret>
  readonly endpoint?: RequestListener
  readonly api?: RequestListener
  /** Who vouches for the endpoint; whom the gate trusts unless given. */
  readonly authority?: CertificateAuthority
  readonly responseTimeoutMs?: number
  /** Public keys, by their issuers. */
  readonly keys?: Readonly<Record<string, string>>
}

export async function startTokenGate(t: Test, parts: Parts = {}): Promise<Setting> {
  const { kind = oauth2, values = CLIENT } = parts
  let offset = 0
  const now = () => Date.now() + offset
  const issuer = new TokenIssuer({
    url: 'https://login.example/token',
    clientId: 'me',
    clientSecret: CLIENT_SECRET,
    scope: SCOPE,
    keys: parts.keys ?? {},
    now,
  })
  issuer.refreshTokens.add(REFRESH)
  const authority = await CertificateAuthority.create(Date.now())
  const endpoint = await startUpstream(parts.authority ?? authority, parts.endpoint ?? issuer.endpoint)
  const api = await startUpstream(authority, parts.api ?? issuer.api)
  const gate = await startGate(
    oneServicePolicy({
      credential: kind.bind(`api/${kind.name}`, values),
      port: api.port,
      ca: authority.pem,
      hosts: { 'login.example': { address: '127.0.0.1', port: endpoint.port } },
      // No test may fail because 200 handshakes take their time.
      http: { connectTimeoutMs: 60_000, responseTimeoutMs: parts.responseTimeoutMs ?? 60_000 },
    }),
    () => SANDBOX,
    now,
  )
  t.teardown(async () => {
    await gate.close()
    await endpoint.close()
    await api.close()
  })
  const answers: Answer[] = []
  const issued = new Set<string>()
  return {
    gate,
    issuer,
    endpoint,
    api,
    pass: (ms) => (offset += ms),
    async ask(path = '/x', headers = {}) {
      const answer = await ask(gate, path, headers)
      answers.push(answer)
      for (const token of issuer.live.keys()) issued.add(token)
      return answer
    },
    checkSecrecy(t, ...more) {
      const secrets = [CLIENT_SECRET, REFRESH, ...more, ...issued, ...issuer.refreshTokens]
      const seen = inspect([answers, gate.decisions, gate.closes, gate.failures], {
        depth: 20,
        maxArrayLength: null,
        maxStringLength: null,
        breakLength: Infinity,
      })
      for (const secret of [...secrets, ...secrets.map((text) => Buffer.from(text).toString('base64'))])
        t.notOk(seen.includes(secret), 'no log and no response holds a secret')
      t.strictSame(gate.failures, [])
    },
  }
}

export function isUnavailable(t: Test, { status, headers, body }: Answer, detail: RegExp): void {
  t.equal(status, 503)
  t.equal(headers['content-type'], 'application/problem+json')
  const problem = JSON.parse(body) as Record<string, unknown>
  t.equal(problem['reason'], 'credential-unavailable')
  t.match(problem['detail'], detail)
}
