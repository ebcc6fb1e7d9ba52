import t from 'tap'
import { Secret } from '#firewall/secret.js'
import { DEFAULT_AGENT, type Service } from '#firewall/policy.js'
import { bearer } from '#proxy/credentials/bearer.js'
import { CertificateAuthority } from '#proxy/tls/authority.js'
import { exchangeBytes, HTTPS_DOORS, type DoorClient } from '#test/support/client.js'
import { startGate, type TestGate } from '#test/support/gate.js'
import { destination, service, testPolicy } from '#test/support/policy.js'
import { startUpstream, type Upstream } from '#test/support/upstream.js'

const TOKEN = 'real-token-0123456789abcdef'
const STAND_IN = 'Yx7mQ2pLk9vRt4sWnB3cZd8fGh1jUa5e'
const OTHER = 'ghp_0123456789abcdefghijABCDEFGHIJ012345'
const SHAPE = { prefix: '', length: 32, alphabet: 'alphanumeric' } as const

interface Teardown {
  teardown(close: () => Promise<void>): void
}

async function setUp(
  test: Teardown,
  extra: Partial<Service> = {},
): Promise<{ gate: TestGate; upstream: Upstream }> {
  const authority = await CertificateAuthority.create(Date.now())
  const upstream = await startUpstream(authority, (_request, response) => response.end('fine'))
  const at = { address: '127.0.0.1', port: upstream.port }
  const credential = bearer.bind('api/bearer', { token: new Secret('API_TOKEN', TOKEN) })
  const gate = await startGate(
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
        service('api', 'https://api.example', credential, { dummies: { API_TOKEN: SHAPE }, ...extra }),
      ],
      hosts: { 'api.example': at, 'other.example': at },
    }),
    () => ({
      id: 'sb-test',
      agent: DEFAULT_AGENT,
      standIns: new Map([
        ['API_TOKEN', STAND_IN],
        ['GITHUB_TOKEN', OTHER],
      ]),
    }),
  )
  test.teardown(async () => {
    await gate.close()
    await upstream.close()
  })
  return { gate, upstream }
}

async function ask(
  gate: TestGate,
  door: DoorClient,
  name: string,
  path: string,
  head: string,
  body = '',
): Promise<string> {
  const { target, host } = door.head(name, path)
  const socket = await door.open(gate, name)
  const length = body === '' ? '' : `Content-Length: ${String(body.length)}\r\n`
  return exchangeBytes(
    socket,
    `${body === '' ? 'GET' : 'POST'} ${target} HTTP/1.1\r\nHost: ${host}\r\n${head}${length}Connection: close\r\n\r\n${body}`,
  )
}

const basic = (pair: string) => `Basic ${Buffer.from(pair).toString('base64')}`

void t.test('a stand-in where it has no business is refused and recorded, at every door', async (test) => {
  const { gate, upstream } = await setUp(test)
  const rows: [path: string, head: string, place: string][] = [
    ['/', `X-Copy: ${STAND_IN}\r\n`, 'API_TOKEN in header x-copy'],
    [`/?q=%59${STAND_IN.slice(1)}`, '', 'API_TOKEN in parameter q'],
    [`/a/${STAND_IN}`, '', 'API_TOKEN in the path'],
    ['/', `Authorization: Bearer ${OTHER}\r\n`, 'GITHUB_TOKEN in header authorization'],
    ['/', `Authorization: ${basic(`git:${OTHER}`)}\r\n`, 'GITHUB_TOKEN in header authorization'],
  ]
  for (const door of HTTPS_DOORS) {
    for (const [path, head, place] of rows) {
      const received = await ask(gate, door, 'api.example', path, head)
      test.match(received, /^HTTP\/1\.1 403 [\s\S]*"reason":"stand-in-misplaced"/, `${door.name}: ${place}`)
      test.match(gate.decisions.pop(), {
        verdict: 'deny',
        reason: 'stand-in-misplaced',
        rule: 'services.api',
        detail: `the stand-in of ${place}`,
        credential: null,
      })
    }
    test.same(upstream.requests, [], 'nothing reached the upstream')
    const received = await ask(gate, door, 'api.example', '/', `Authorization: Bearer ${STAND_IN}\r\n`)
    test.match(received, /^HTTP\/1\.1 200 /, `${door.name}: in its own slot`)
    test.equal(upstream.requests.pop()?.headers.authorization, `Bearer ${TOKEN}`)
  }
})

void t.test('also at a host without a credential; a body is left as it is', async (test) => {
  const { gate, upstream } = await setUp(test)
  const [door] = HTTPS_DOORS
  if (door === undefined) throw new Error('there is a door')
  const refused = await ask(gate, door, 'other.example', '/', `Authorization: Bearer ${STAND_IN}\r\n`)
  test.match(refused, /^HTTP\/1\.1 403 [\s\S]*stand-in-misplaced/)
  test.same(upstream.requests, [])
  test.match(gate.decisions, [{ rule: 'allow[0]', reason: 'stand-in-misplaced' }])
  const passed = await ask(gate, door, 'other.example', '/', '', `{"token":"${STAND_IN}"}`)
  test.match(passed, /^HTTP\/1\.1 200 /)
  test.equal(upstream.requests.length, 1)
})

void t.test('other places in which clients send it are emptied', async (test) => {
  const slots = { headers: ['authorization', 'x-key'], query: ['key'] }
  const { gate, upstream } = await setUp(test, { slots, injectWhen: 'stand-in' })
  const [door] = HTTPS_DOORS
  if (door === undefined) throw new Error('there is a door')
  for (const [path, head] of [
    ['/?a=1', `X-Key: ${STAND_IN}\r\n`],
    [`/?key=${STAND_IN}&a=1`, ''],
  ] as const) {
    await ask(gate, door, 'api.example', path, head)
    const { url, headers } = upstream.requests.pop() ?? {}
    test.equal(url, '/?a=1')
    test.match(headers, { authorization: `Bearer ${TOKEN}` })
    test.notOk(headers?.['x-key'])
  }
})

void t.test('`when: stand-in`: only a request that carries it gets the credential', async (test) => {
  const { gate, upstream } = await setUp(test, { injectWhen: 'stand-in' })
  for (const door of HTTPS_DOORS) {
    await ask(gate, door, 'api.example', '/', `Authorization: Bearer ${STAND_IN}\r\n`)
    test.equal(upstream.requests.pop()?.headers.authorization, `Bearer ${TOKEN}`, door.name)
    test.equal(gate.decisions.pop()?.credential, 'api/bearer')
    await ask(gate, door, 'api.example', '/', `Authorization: ${basic(`me:${STAND_IN}`)}\r\n`)
    test.equal(upstream.requests.pop()?.headers.authorization, `Bearer ${TOKEN}`)
    gate.decisions.pop()
    for (const head of ['', 'Authorization: Bearer of-somebody-else\r\n']) {
      test.match(await ask(gate, door, 'api.example', '/', head), /^HTTP\/1\.1 200 /)
      test.equal(upstream.requests.pop()?.headers.authorization, undefined, 'goes without any')
      test.equal(gate.decisions.pop()?.credential, null)
    }
  }
})
