import { createPublicKey, createVerify, randomBytes, type KeyObject } from 'node:crypto'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'

/** What was asked of the issuer, and why it was refused; null when it was granted. */
export interface TokenRequest {
  readonly grant: string
  readonly refused: string | null
}

/** Whom the issuer knows. */
export interface IssuerOptions {
  /** Its own address, the audience of assertions: `https://login.example/token`. */
  readonly url: string
  readonly clientId: string
  readonly clientSecret: string
  readonly scope: string
  /** PEM of the public keys of apps and service accounts, by issuer. */
  readonly keys: Readonly<Record<string, string>>
  readonly now: () => number
}

/** Seconds. */
const LIFE = 3_600

class Refused extends Error {}

/**
 * A token endpoint and the API that takes its tokens, as strict as the standards allow: one way of client authentication,
 * refresh tokens that are good once, assertions verified with the public key alone.
 */
export class TokenIssuer {
  readonly requests: TokenRequest[] = []
  /** Authorization headers that the API accepted or not, in order. */
  readonly presented: string[] = []
  /** Milliseconds since 1970 by token. */
  readonly live = new Map<string, number>()
  /** Refresh tokens that are still good. */
  readonly refreshTokens = new Set<string>()
  readonly #options: IssuerOptions

  constructor(options: IssuerOptions) {
    this.#options = options
  }

  /** `POST /token`, and the installation tokens of GitHub's. */
  readonly endpoint: RequestListener = (request, response) => {
    void readText(request).then((body) => {
      let grant = 'none'
      try {
        if (request.method !== 'POST') throw new Refused('invalid_request: method')
        const app = /^\/app\/installations\/42\/access_tokens$/.test(request.url ?? '')
        grant = app ? 'installation' : (new URLSearchParams(body).get('grant_type') ?? 'none')
        const answer = app ? this.#installation(request, body) : this.#grant(request, body)
        this.requests.push({ grant, refused: null })
        send(response, app ? 201 : 200, answer)
      } catch (error) {
        const refused = error instanceof Refused ? error.message : String(error)
        this.requests.push({ grant, refused })
        send(response, refused.startsWith('invalid_client') ? 401 : 400, { error: refused.split(':')[0] })
      }
    })
  }

  /** Accepts live tokens alone, and says back what it was sent, in a header and in the body. */
  readonly api: RequestListener = (request, response) => {
    const authorization = request.headers.authorization ?? ''
    this.presented.push(authorization)
    const [scheme = '', value = ''] = authorization.split(' ')
    const [user, password] = Buffer.from(value, 'base64').toString().split(':')
    const token = scheme === 'Basic' && user === 'x-access-token' ? password : value
    const good = scheme !== '' && this.#isLive(token ?? '')
    response.setHeader('x-said-back', authorization)
    send(response, good ? 200 : 401, { authorization })
  }

  revokeAll(): void {
    this.live.clear()
  }

  #isLive(token: string): boolean {
    return (this.live.get(token) ?? 0) > this.#options.now()
  }

  #grant(request: IncomingMessage, body: string): object {
    if (request.url !== new URL(this.#options.url).pathname) throw new Refused('invalid_request: path')
    if (request.headers['content-type'] !== 'application/x-www-form-urlencoded')
      throw new Refused('invalid_request: type')
    const form = new URLSearchParams(body)
    if (new Set(form.keys()).size !== [...form.keys()].length) throw new Refused('invalid_request: twice')
    const grant = form.get('grant_type')
    if (grant === 'urn:ietf:params:oauth:grant-type:jwt-bearer') {
      if (request.headers.authorization !== undefined) throw new Refused('invalid_request: both')
      this.#assertion(form.get('assertion') ?? '', this.#options.url, 3_600, { scope: this.#options.scope })
      return this.#issue()
    }
    this.#authenticate(request, form)
    if (grant === 'client_credentials') {
      if (form.get('scope') !== this.#options.scope) throw new Refused('invalid_scope')
      return this.#issue()
    }
    if (grant !== 'refresh_token') throw new Refused('unsupported_grant_type')
    const presented = form.get('refresh_token') ?? ''
    if (!this.refreshTokens.delete(presented)) {
      // RFC 9700 section 4.14.2: one that is used twice was stolen by one of the two.
      this.refreshTokens.clear()
      throw new Refused('invalid_grant')
    }
    const next = `refresh-${randomBytes(16).toString('hex')}`
    this.refreshTokens.add(next)
    return { ...this.#issue(), refresh_token: next }
  }

  /** RFC 6749 section 2.3.1, and no more than one way. */
  #authenticate({ headers }: IncomingMessage, form: URLSearchParams): void {
    const [scheme, encoded = ''] = (headers.authorization ?? '').split(' ')
    if (headers.authorization !== undefined && form.has('client_secret')) throw new Refused('invalid_request')
    const decode = (text = '') => new URLSearchParams(`v=${text}`).get('v') ?? ''
    const pair = scheme === 'Basic' ? Buffer.from(encoded, 'base64').toString().split(':').map(decode) : null
    const [id, secret] = pair ?? [form.get('client_id'), form.get('client_secret')]
    if (id !== this.#options.clientId || secret !== this.#options.clientSecret)
      throw new Refused('invalid_client')
  }

  #installation({ headers }: IncomingMessage, body: string): object {
    const [scheme, jwt = ''] = (headers.authorization ?? '').split(' ')
    if (scheme !== 'Bearer' || body !== '' || headers['user-agent'] === undefined)
      throw new Refused('invalid_request')
    this.#assertion(jwt, undefined, 600, {})
    const { access_token: token } = this.#issue()
    return { token, expires_at: new Date(this.#options.now() + LIFE * 1000).toISOString(), permissions: {} }
  }

  /** RFC 7519 section 7.2, RFC 7523 section 3. */
  #assertion(
    jwt: string,
    audience: string | undefined,
    maxLife: number,
    claims: Record<string, string>,
  ): void {
    const [head = '', body = '', signature = '', ...rest] = jwt.split('.')
    const header = parse(head)
    const payload = parse(body)
    const key = this.#keyOf(String(payload['iss']))
    const verified = createVerify('RSA-SHA256').update(`${head}.${body}`).verify(key, signature, 'base64url')
    if (header['alg'] !== 'RS256' || rest.length > 0 || !verified)
      throw new Refused('invalid_grant: signature')
    if (payload['aud'] !== audience) throw new Refused('invalid_grant: audience')
    const [at, end] = [Number(payload['iat']) * 1000, Number(payload['exp']) * 1000]
    const now = this.#options.now()
    if (!(at <= now && now < end && end - at <= maxLife * 1000)) throw new Refused('invalid_grant: time')
    for (const [name, value] of Object.entries(claims))
      if (payload[name] !== value) throw new Refused(`invalid_scope: ${name}`)
  }

  #keyOf(issuer: string): KeyObject {
    const pem = this.#options.keys[issuer]
    if (pem === undefined) throw new Refused('invalid_client: issuer')
    return createPublicKey(pem)
  }

  #issue(): { access_token: string; token_type: string; expires_in: number } {
    const token = `token-${randomBytes(24).toString('base64url')}`
    this.live.set(token, this.#options.now() + LIFE * 1000)
    return { access_token: token, token_type: 'bearer', expires_in: LIFE }
  }
}

function parse(part: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>
}

async function readText(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  return text
}

function send(response: ServerResponse, status: number, value: object): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
  response.end(JSON.stringify(value))
}
