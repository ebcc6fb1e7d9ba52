import { createHmac, randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { WITHOUT_BOTO3, type startOracle } from './sigv4-oracle.js'

/** Real credentials, made anew for each run. */
export type Secrets = Readonly<Record<keyof ReturnType<typeof makeSecrets>, string>>

export function makeSecrets() {
  const random = (bytes: number) => randomBytes(bytes).toString('hex')
  return {
    BEARER_TOKEN: `ghp_${random(18)}`,
    BASIC_PASSWORD: `${random(12)}+/="%`,
    HEADER_KEY: random(20),
    QUERY_KEY: `${random(16)}+/=&`,
    COOKIE_SESSION: random(16),
    WEBHOOK: `T${random(4)}/B${random(4)}/${random(12)}`,
    BODY_TOKEN: `${random(16)}"\\/`,
    CLIENT_SECRET: `${random(12)}+/=`,
    HMAC_SECRET: random(24),
    AWS_ACCESS_KEY_ID: `AKIA${random(8).toUpperCase()}`,
    AWS_SECRET_ACCESS_KEY: `${random(18)}+/==`,
    DEAD_TOKEN: random(20),
    REFUSED_SECRET: random(20),
    /** What the token endpoint grants. */
    GRANTED: `granted-${random(20)}`,
  }
}

/** A request with its body, of which somebody says whether the real credential stands where it belongs. */
interface Asked {
  readonly request: IncomingMessage
  readonly body: string
}

type Oracle = ReturnType<typeof startOracle>

/** One credential kind with its service: what the policy says, what is asked of it, and how it tells that it is real. */
interface Kind {
  readonly host: string
  readonly credential: object
  readonly request: {
    readonly method: string
    readonly path: string
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: string
  }
  /** Those that it knows, and says back. */
  readonly secrets: readonly (keyof Secrets)[]
  readonly verify: (asked: Asked, secrets: Secrets, oracle: Oracle | null) => boolean | Promise<boolean>
}

const authorization = (value: (secrets: Secrets) => string): Kind['verify'] => {
  return ({ request }, secrets) => request.headers.authorization === value(secrets)
}

const base64 = (text: string) => Buffer.from(text).toString('base64')
const queryOf = ({ url = '' }: IncomingMessage) => new URL(url, 'https://any.example').searchParams

export const LOGIN_HOST = 'login.example'
const oauth2 = (secret: string) => ({
  oauth2: { token_url: `https://${LOGIN_HOST}/token`, client_id: 'me', client_secret: `\${${secret}}` },
})

const S3_KIND: Kind = {
  host: 'reports.s3.eu-central-1.amazonaws.com',
  credential: {
    sigv4: {
      access_key: '${AWS_ACCESS_KEY_ID}',
      secret_key: '${AWS_SECRET_ACCESS_KEY}',
      region: 'eu-central-1',
      service: 's3',
    },
  },
  request: { method: 'PUT', path: '/dir/report', body: 'a report' },
  secrets: ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'],
  async verify({ request }, secrets, oracle) {
    const { headers, method = '', url = '' } = request
    const [, key, names = '', signature] =
      /Credential=([^/]+)\/.*SignedHeaders=([^,]+), ?Signature=(\w+)$/.exec(headers.authorization ?? '') ?? []
    const expected = await oracle?.sign({
      method,
      url: `https://${headers.host ?? ''}${url}`,
      headers: Object.fromEntries(names.split(';').map((name) => [name, String(headers[name])])),
      payload_hash: String(headers['x-amz-content-sha256']),
      timestamp: String(headers['x-amz-date']),
      region: 'eu-central-1',
      service: 's3',
      secret: secrets.AWS_SECRET_ACCESS_KEY,
    })
    return key === secrets.AWS_ACCESS_KEY_ID && signature === expected?.signature
  },
}

export const KINDS: Readonly<Record<string, Kind>> = {
  bearer: {
    host: 'bearer.example',
    credential: { bearer: '${BEARER_TOKEN}' },
    request: { method: 'GET', path: '/x', headers: { authorization: 'Bearer {BEARER_TOKEN}' } },
    secrets: ['BEARER_TOKEN'],
    verify: authorization(({ BEARER_TOKEN }) => `Bearer ${BEARER_TOKEN}`),
  },
  basic: {
    host: 'basic.example',
    credential: { basic: { username: 'robot', password: '${BASIC_PASSWORD}' } },
    request: { method: 'GET', path: '/x' },
    secrets: ['BASIC_PASSWORD'],
    verify: authorization(({ BASIC_PASSWORD }) => `Basic ${base64(`robot:${BASIC_PASSWORD}`)}`),
  },
  header: {
    host: 'header.example',
    credential: { header: { name: 'X-Api-Key', value: 'Token ${HEADER_KEY}' } },
    request: { method: 'GET', path: '/x' },
    secrets: ['HEADER_KEY'],
    verify: ({ request }, { HEADER_KEY }) => request.headers['x-api-key'] === `Token ${HEADER_KEY}`,
  },
  query: {
    host: 'query.example',
    credential: { query: { name: 'key', value: '${QUERY_KEY}' } },
    request: { method: 'GET', path: '/x?a=b' },
    secrets: ['QUERY_KEY'],
    verify: ({ request }, { QUERY_KEY }) => queryOf(request).get('key') === QUERY_KEY,
  },
  cookie: {
    host: 'cookie.example',
    credential: { cookie: { name: 'sid', value: '${COOKIE_SESSION}' } },
    request: { method: 'GET', path: '/x', headers: { cookie: 'lang=en' } },
    secrets: ['COOKIE_SESSION'],
    verify: ({ request }, { COOKIE_SESSION }) =>
      (request.headers.cookie ?? '').split('; ').includes(`sid=${COOKIE_SESSION}`),
  },
  path: {
    host: 'path.example',
    credential: { path: '${WEBHOOK}' },
    request: { method: 'POST', path: '/{WEBHOOK}', body: 'hello' },
    secrets: ['WEBHOOK'],
    verify: ({ request }, { WEBHOOK }) => request.url === `/${WEBHOOK}`,
  },
  body: {
    host: 'body.example',
    credential: { body: { field: 'auth.token', value: '${BODY_TOKEN}' } },
    request: {
      method: 'POST',
      path: '/x',
      headers: { 'content-type': 'application/json' },
      body: '{"auth":{"token":"any"},"text":"hello"}',
    },
    secrets: ['BODY_TOKEN'],
    verify: ({ body }, { BODY_TOKEN }) =>
      (JSON.parse(body) as { auth: { token: unknown } }).auth.token === BODY_TOKEN,
  },
  hmac: {
    host: 'hmac.example',
    credential: { hmac: { secret: '${HMAC_SECRET}', header: 'X-Signature', sign: '{body}' } },
    request: { method: 'POST', path: '/x', body: 'sign this' },
    secrets: ['HMAC_SECRET'],
    verify: ({ request, body }, { HMAC_SECRET }) =>
      request.headers['x-signature'] === createHmac('sha256', HMAC_SECRET).update(body).digest('hex'),
  },
  oauth2: {
    host: 'oauth.example',
    credential: oauth2('CLIENT_SECRET'),
    request: { method: 'GET', path: '/x' },
    secrets: ['CLIENT_SECRET', 'GRANTED'],
    verify: authorization(({ GRANTED }) => `Bearer ${GRANTED}`),
  },
  ...(WITHOUT_BOTO3 === false ? { sigv4: S3_KIND } : {}),
}

/** Services that go wrong: one that is not there, and one whose token is refused by an endpoint that says all it knows. */
export const BROKEN: Readonly<Record<string, Pick<Kind, 'host' | 'credential'>>> = {
  dead: { host: 'dead.example', credential: { bearer: '${DEAD_TOKEN}' } },
  refused: { host: 'refused.example', credential: oauth2('REFUSED_SECRET') },
}

/** What the token endpoint grants to a client that names itself rightly; null for any other. */
export function grantedTo({ request }: Asked, { CLIENT_SECRET, GRANTED }: Secrets): string | null {
  const pair = `me:${encodeURIComponent(CLIENT_SECRET)}`
  return request.headers.authorization === `Basic ${base64(pair)}` ? GRANTED : null
}

/** All that a service was sent, and more that it knows, in every way in which it could say it. */
export function sayBack({ request, body }: Asked, more: readonly string[]): string {
  const seen = [request.url ?? '', ...request.rawHeaders, body, ...more].join('\n')
  return [
    JSON.stringify({ seen }),
    seen,
    Buffer.from(seen).toString('hex'),
    ...['', ' ', '  '].map((shift) => base64(shift + seen)),
    encodeURIComponent(seen),
    Buffer.from(seen).toString('base64url'),
  ].join('\n\n')
}
