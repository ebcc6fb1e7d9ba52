import t from 'tap'
import { Secret } from '#firewall/secrets/secret.js'
import { DEFAULT_AGENT } from '#firewall/contracts/identity.js'
import type { Service } from '#firewall/contracts/service.js'
import { bearer } from '#proxy/credentials/bearer.js'
import { CertificateAuthority } from '#proxy/tls/certificate-authority.js'
import { exchangeBytes, HTTPS_LISTENERS, type ListenerClient } from './fixtures/client.js'
import { startGateway, type TestGateway } from './fixtures/gateway.js'
import { destination, service, testPolicy } from './fixtures/policy.js'
import { startUpstream, type Upstream } from './fixtures/upstream.js'

const TOKEN = 'real-token-0123456789abcdef'
const PLACEHOLDER = 'Yx7mQ2pLk9vRt4sWnB3cZd8fGh1jUa5e'
const OTHER = 'ghp_0123456789abcdefghijABCDEFGHIJ012345'
const SHAPE = { prefix: '', length: 32, alphabet: 'alphanumeric' } as const

interface Teardown {
  teardown(close: () => Promise<void>): void
}

async function setUp(
  test: Teardown,
  extra: Partial<Service> = {},
): Promise<{ gateway: TestGateway; upstream: Upstream }> {
  const authority = await CertificateAuthority.create(Date.now())
  const upstream = await startUpstream(authority, (_request, response) => response.end('fine'))
  const at = { address: '127.0.0.1', port: upstream.port }
  const credential = bearer.bind('api/bearer', { token: new Secret('API_TOKEN', TOKEN) })
  const gateway = await startGateway(
    testPolicy({
      destinations: [
        destination('https://api.example', ['allow * /**'], {
          id: 'services.api',
          service: 'api',
          ca: authority.pem,
        }),
        destination('https://other.example', ['allow * /**'], { id: 'allow[0]', ca: authority.pem }),
      ],
      services: [
        service('api', 'https://api.example', credential, { placeholders: { API_TOKEN: SHAPE }, ...extra }),
      ],
      hosts: { 'api.example': at, 'other.example': at },
    }),
    () => ({
      id: 'sb-test',
      agent: DEFAULT_AGENT,
      placeholders: new Map([
        ['API_TOKEN', PLACEHOLDER],
        ['GITHUB_TOKEN', OTHER],
      ]),
    }),
  )
  test.teardown(async () => {
    await gateway.close()
    await upstream.close()
  })
  return { gateway, upstream }
}

async function ask(
  gateway: TestGateway,
  listener: ListenerClient,
  name: string,
  path: string,
  head: string,
  body = '',
): Promise<string> {
  const { target, host } = listener.head(name, path)
  const socket = await listener.open(gateway, name)
  const length = body === '' ? '' : `Content-Length: ${String(body.length)}\r\n`
  return exchangeBytes(
    socket,
    `${body === '' ? 'GET' : 'POST'} ${target} HTTP/1.1\r\nHost: ${host}\r\n${head}${length}Connection: close\r\n\r\n${body}`,
  )
}

const basic = (pair: string) => `Basic ${Buffer.from(pair).toString('base64')}`

void t.test(
  'a placeholder where it has no business is refused and recorded, at every listener',
  async (test) => {
    const { gateway, upstream } = await setUp(test)
    const rows: [path: string, head: string, place: string][] = [
      ['/', `X-Copy: ${PLACEHOLDER}\r\n`, 'API_TOKEN in header x-copy'],
      [`/?q=%59${PLACEHOLDER.slice(1)}`, '', 'API_TOKEN in parameter q'],
      [`/a/${PLACEHOLDER}`, '', 'API_TOKEN in the path'],
      ['/', `Authorization: Bearer ${OTHER}\r\n`, 'GITHUB_TOKEN in header authorization'],
      ['/', `Authorization: ${basic(`git:${OTHER}`)}\r\n`, 'GITHUB_TOKEN in header authorization'],
    ]
    for (const listener of HTTPS_LISTENERS) {
      for (const [path, head, place] of rows) {
        const received = await ask(gateway, listener, 'api.example', path, head)
        test.match(
          received,
          /^HTTP\/1\.1 403 [\s\S]*"reason":"placeholder-misplaced"/,
          `${listener.name}: ${place}`,
        )
        test.match(gateway.decisions.pop(), {
          verdict: 'deny',
          reason: 'placeholder-misplaced',
          rule: 'services.api',
          detail: `the placeholder of ${place}`,
          credential: null,
        })
      }
      test.same(upstream.requests, [], 'nothing reached the upstream')
      const received = await ask(
        gateway,
        listener,
        'api.example',
        '/',
        `Authorization: Bearer ${PLACEHOLDER}\r\n`,
      )
      test.match(received, /^HTTP\/1\.1 200 /, `${listener.name}: in its own location`)
      test.equal(upstream.requests.pop()?.headers.authorization, `Bearer ${TOKEN}`)
    }
  },
)

void t.test('also at a host without a credential; a body is left as it is', async (test) => {
  const { gateway, upstream } = await setUp(test)
  const [listener] = HTTPS_LISTENERS
  if (listener === undefined) throw new Error('there is a listener')
  const refused = await ask(
    gateway,
    listener,
    'other.example',
    '/',
    `Authorization: Bearer ${PLACEHOLDER}\r\n`,
  )
  test.match(refused, /^HTTP\/1\.1 403 [\s\S]*placeholder-misplaced/)
  test.same(upstream.requests, [])
  test.match(gateway.decisions, [{ rule: 'allow[0]', reason: 'placeholder-misplaced' }])
  const passed = await ask(gateway, listener, 'other.example', '/', '', `{"token":"${PLACEHOLDER}"}`)
  test.match(passed, /^HTTP\/1\.1 200 /)
  test.equal(upstream.requests.length, 1)
})

void t.test('other places in which clients send it are emptied', async (test) => {
  const locations = { headers: ['authorization', 'x-key'], query: ['key'] }
  const { gateway, upstream } = await setUp(test, { locations, injectWhen: 'on_placeholder' })
  const [listener] = HTTPS_LISTENERS
  if (listener === undefined) throw new Error('there is a listener')
  for (const [path, head] of [
    ['/?a=1', `X-Key: ${PLACEHOLDER}\r\n`],
    [`/?key=${PLACEHOLDER}&a=1`, ''],
  ] as const) {
    await ask(gateway, listener, 'api.example', path, head)
    const { url, headers } = upstream.requests.pop() ?? {}
    test.equal(url, '/?a=1')
    test.match(headers, { authorization: `Bearer ${TOKEN}` })
    test.notOk(headers?.['x-key'])
  }
})

void t.test('`inject: on_placeholder`: only a request that carries it gets the credential', async (test) => {
  const { gateway, upstream } = await setUp(test, { injectWhen: 'on_placeholder' })
  for (const listener of HTTPS_LISTENERS) {
    await ask(gateway, listener, 'api.example', '/', `Authorization: Bearer ${PLACEHOLDER}\r\n`)
    test.equal(upstream.requests.pop()?.headers.authorization, `Bearer ${TOKEN}`, listener.name)
    test.equal(gateway.decisions.pop()?.credential, 'api/bearer')
    await ask(gateway, listener, 'api.example', '/', `Authorization: ${basic(`me:${PLACEHOLDER}`)}\r\n`)
    test.equal(upstream.requests.pop()?.headers.authorization, `Bearer ${TOKEN}`)
    gateway.decisions.pop()
    for (const head of ['', 'Authorization: Bearer of-somebody-else\r\n']) {
      test.match(await ask(gateway, listener, 'api.example', '/', head), /^HTTP\/1\.1 200 /)
      test.equal(upstream.requests.pop()?.headers.authorization, undefined, 'goes without any')
      test.equal(gateway.decisions.pop()?.credential, null)
    }
  }
})
