import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { Secret } from '#firewall/secrets/secret.js'
import { bearer } from '#proxy/credentials/bearer.js'
import { CertificateAuthority } from '#proxy/tls/certificate-authority.js'
import { exchangeBytes, HTTPS_LISTENERS, statuses } from './fixtures/client.js'
import { startGateway } from './fixtures/gateway.js'
import { ask, openSession } from './fixtures/http2-client.js'
import { oneServicePolicy } from './fixtures/policy.js'
import { startUpstream } from './fixtures/upstream.js'

// What an upstream of GraphQL gets, whatever a client sends: an attack is right when nothing of it arrived, and the nearest
// request that the policy allows did.

const HOST = 'api.example'
const TOKEN = 'real-token-0123456789abcdef'
const RULES = [
  'deny GRAPHQL * **.auditLog',
  'deny GRAPHQL mutation createIssue(input.repositoryId=R_other)',
  'allow GRAPHQL query *',
  'allow GRAPHQL mutation createIssue',
  'allow GRAPHQL mutation addComment(input.subjectId="I_*")',
  'allow GRAPHQL persisted known',
  'allow * /**',
]
const EVIL = 'mutation { deleteRepository(input: {id: "R_1"}) { ok } }'
const FINE = 'mutation { createIssue(input: {repositoryId: "R_1"}) { ok } }'

async function setUp(t: Test, rules: readonly string[] = RULES) {
  const ca = await CertificateAuthority.create(Date.now())
  const received: string[] = []
  const upstream = await startUpstream(ca, (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      received.push(
        `${request.method ?? ''} ${request.url ?? ''}\n${Buffer.concat(chunks).toString('latin1')}`,
      )
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"data":{}}')
    })
  })
  const credential = bearer.bind('api/bearer', { token: new Secret('API_TOKEN', TOKEN) })
  const gateway = await startGateway(oneServicePolicy({ credential, port: upstream.port, ca: ca.pem, rules }))
  t.teardown(async () => {
    await gateway.close()
    await upstream.close()
  })
  /** Once everything is over. */
  const settled = async () => {
    t.strictSame(gateway.failures, [])
    while (gateway.heldBytes() > 0) await new Promise((resolve) => setTimeout(resolve, 5))
  }
  const [transparent] = HTTPS_LISTENERS
  const send = async (bytes: string | Buffer) => {
    const socket = await transparent?.open(gateway, HOST)
    if (socket === undefined) throw new Error('no listener')
    return exchangeBytes(socket, bytes)
  }
  return { gateway, upstream, received, send, settled }
}

interface Sent {
  readonly method?: string
  readonly target?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
}

function bytesOf({ method = 'POST', target = '/graphql', headers = {}, body = '' }: Sent): Buffer {
  const content = Buffer.isBuffer(body) ? body : Buffer.from(body)
  const all = {
    Host: HOST,
    'Content-Type': 'application/json',
    'Content-Length': String(content.length),
    ...headers,
  }
  const lines = Object.entries(all).flatMap(([name, value]) => (value === '' ? [] : [`${name}: ${value}`]))
  return Buffer.concat([
    Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`),
    content,
  ])
}

const json = (query: string, more: Readonly<Record<string, unknown>> = {}) =>
  JSON.stringify({ query, ...more })
const inUrl = (query: string) => encodeURIComponent(query)
const multipart = (operations: string) =>
  `--x\r\nContent-Disposition: form-data; name="operations"\r\n\r\n${operations}\r\n--x\r\nContent-Disposition: form-data; name="map"\r\n\r\n{}\r\n--x--\r\n`

/** Requests that run what no rule allows, each with the nearest one that runs what is allowed. */
const ATTACKS: readonly (readonly [name: string, attack: Sent, control: Sent])[] = [
  ['a mutation', { body: json(EVIL) }, { body: json(FINE) }],
  [
    'by GET',
    { method: 'GET', target: `/graphql?query=${inUrl(EVIL)}` },
    { method: 'GET', target: `/graphql?query=${inUrl(FINE)}` },
  ],
  [
    'as a bare document',
    { headers: { 'Content-Type': 'application/graphql' }, body: EVIL },
    { headers: { 'Content-Type': 'application/graphql' }, body: FINE },
  ],
  [
    'behind an alias',
    { body: json('mutation { createIssue: deleteRepository { ok } }') },
    { body: json('mutation { deleteRepository: createIssue { ok } }') },
  ],
  [
    'in a fragment',
    { body: json('mutation { ...f } fragment f on Mutation { ... { deleteRepository { ok } } }') },
    { body: json('mutation { ...f } fragment f on Mutation { ... { createIssue { ok } } }') },
  ],
  [
    'as the second field',
    { body: json('mutation { createIssue { ok } deleteRepository { ok } }') },
    { body: json('mutation { a: createIssue { ok } b: createIssue { ok } }') },
  ],
  [
    'the operation that is named',
    {
      body: json(`query A { viewer { id } } mutation B { deleteRepository { ok } }`, { operationName: 'B' }),
    },
    {
      body: json(`query A { viewer { id } } mutation B { deleteRepository { ok } }`, { operationName: 'A' }),
    },
  ],
  [
    'in a batch',
    { body: `[${json(FINE)},${json(EVIL)}]` },
    { body: `[${json(FINE)},${json('{ viewer { id } }')}]` },
  ],
  [
    'a denied field further down',
    { body: json('{ viewer { ...f } } fragment f on U { x: auditLog }') },
    { body: json('{ viewer { ...f } } fragment f on U { auditLog: x }') },
  ],
  [
    'another argument',
    {
      body: json('mutation($i: I!) { addComment(input: $i) { deleteRepository } }', {
        variables: { i: { subjectId: 'R_1' } },
      }),
    },
    {
      body: json('mutation($i: I!) { addComment(input: $i) { ok } }', {
        variables: { i: { subjectId: 'I_1' } },
      }),
    },
  ],
  [
    'a denied argument',
    {
      body: json('mutation deleteRepository($i: I!) { createIssue(input: $i) { ok } }', {
        variables: { i: { repositoryId: 'R_other' } },
      }),
    },
    {
      body: json('mutation($i: I!) { createIssue(input: $i) { ok } }', {
        variables: { i: { repositoryId: 'R_1' } },
      }),
    },
  ],
  [
    'a document that only the server knows',
    { body: '{"documentId":"deleteRepository"}' },
    { body: '{"documentId":"known"}' },
  ],
  [
    'a duplicate key',
    { body: `{"query":${JSON.stringify(FINE)},"query":${JSON.stringify(EVIL)}}` },
    { body: json(FINE, { operationName: null }) },
  ],
  [
    'a key in other letter case',
    { body: json(FINE, { Query: EVIL }) },
    { body: json(FINE, { variables: { Query: 'x' } }) },
  ],
  [
    'in the URL of a POST',
    { target: `/graphql?query=${inUrl(EVIL)}`, body: json(FINE) },
    { target: '/graphql?op=x', body: json(FINE) },
  ],
  [
    'in a form',
    { headers: { 'Content-Type': 'application/x-www-form-urlencoded' }, body: `query=${inUrl(EVIL)}` },
    { body: json(FINE) },
  ],
  [
    'in a multipart form',
    { headers: { 'Content-Type': 'multipart/form-data; boundary=x' }, body: multipart(json(EVIL)) },
    { body: json(FINE) },
  ],
  ['without a type', { headers: { 'Content-Type': '' }, body: json(EVIL) }, { body: json(FINE) }],
  ['as text', { headers: { 'Content-Type': 'text/plain' }, body: json(EVIL) }, { body: json(FINE) }],
  [
    'compressed',
    { headers: { 'Content-Encoding': 'gzip' }, body: gzipSync(json(EVIL)) },
    { headers: { 'Content-Encoding': 'identity' }, body: json(FINE) },
  ],
  [
    'in UTF-16',
    {
      headers: { 'Content-Type': 'application/json; charset=utf-16le' },
      body: Buffer.from(json(EVIL), 'utf16le'),
    },
    { headers: { 'Content-Type': 'application/json; charset=UTF-8' }, body: json(FINE) },
  ],
  ['in UTF-16 without saying so', { body: Buffer.from(json(EVIL), 'utf16le') }, { body: json(FINE) }],
  [
    'in the body of a GET',
    { method: 'GET', target: `/graphql?query=${inUrl('{a}')}`, body: json(EVIL) },
    { method: 'GET', target: `/graphql?query=${inUrl('{a}')}`, headers: { 'Content-Length': '' } },
  ],
  ['by PUT', { method: 'PUT', body: json(EVIL) }, { body: json(FINE) }],
  [
    'as another method',
    { headers: { 'X-HTTP-Method-Override': 'GET' }, target: '/graphql', body: json(EVIL) },
    { body: json(FINE) },
  ],
  ...['/graphql/', '/GraphQL', '//graphql', '/graphql.json', '/graphql;x', '/%2567raphql', '/graphql%20'].map(
    (target) =>
      [`at ${target}`, { target, body: json(EVIL) }, { target: '/graphql', body: json(FINE) }] as const,
  ),
  [
    'in what is not read whole',
    { body: json(EVIL, { variables: { x: 'x'.repeat(1_100_000) } }) },
    { body: json(FINE, { variables: { x: 'x'.repeat(500_000) } }) },
  ],
  [
    'deeply nested',
    { body: json(`{ ${'deleteRepository {'.repeat(5_000)}`) },
    { body: json(`{ ${'a {'.repeat(20)} b ${'}'.repeat(20)} }`) },
  ],
]

void t.test('what no rule allows does not reach the upstream', async (t) => {
  const { received, send, upstream, settled } = await setUp(t)
  const wrong: string[] = []
  for (const [name, attack, control] of ATTACKS) {
    received.length = 0
    const answer = await send(bytesOf(attack))
    const arrived = received.length > 0
    const isDenied = /^HTTP\/1\.1 (400|403|413|415) /.test(answer) && answer.includes('egress: ')
    if (arrived || !isDenied) wrong.push(`${name}: ${arrived ? 'arrived' : answer.slice(0, 200)}`)
    const passed = await send(bytesOf(control))
    if (received.length !== 1 || statuses(passed)[0] !== '200')
      wrong.push(`the control of ${name}: ${passed.slice(0, 400)}`)
  }
  t.strictSame(wrong, [])
  t.ok(upstream.requests.every(({ headers }) => headers['authorization'] === `Bearer ${TOKEN}`))
  await settled()
})

void t.test('what is judged is what is sent, to the byte', async (t) => {
  const { received, send, gateway } = await setUp(t)
  const body = ` {"variables" : {"b":"\u00e9\\u00e9"}, "query":${JSON.stringify(FINE)}}\n`
  await send(bytesOf({ body }))
  const chunked = (text: string) =>
    Buffer.from(
      `POST /graphql HTTP/1.1\r\nHost: ${HOST}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n` +
        Buffer.from(text).toString('latin1').replace(/[^]/g, '1\r\n$&\r\n') +
        '0\r\n\r\n',
      'latin1',
    )
  await send(chunked(body))
  const sent = `POST /graphql\n${Buffer.from(body).toString('latin1')}`
  t.strictSame(received, [sent, sent])
  t.match(gateway.decisions, [
    { verdict: 'allow', rule: 'services.api.rules[3]', detail: 'GraphQL: mutation createIssue' },
    { verdict: 'allow', rule: 'services.api.rules[3]', detail: 'GraphQL: mutation createIssue' },
  ])
  t.match(gateway.closes, [{ requestBytes: Buffer.byteLength(body) }, {}])
  received.length = 0
  await send(chunked(json(EVIL)))
  t.strictSame(received, [])
})

void t.test('a body that does not come whole is refused, and recorded', async (t) => {
  const { received, gateway, settled } = await setUp(t)
  const socket = await HTTPS_LISTENERS[0]?.open(gateway, HOST)
  socket?.end(bytesOf({ body: json(FINE) }).subarray(0, -5))
  const wasRefused = () => gateway.decisions.some(({ reason }) => reason === 'graphql-unreadable')
  while (!wasRefused()) await new Promise((resolve) => setTimeout(resolve, 5))
  t.ok(gateway.decisions.every(({ verdict }) => verdict === 'deny'))
  t.strictSame(received, [])
  await settled()
})

void t.test('operations in a WebSocket are refused', async (t) => {
  const { upstream, send } = await setUp(t)
  const headers = {
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Protocol': 'graphql-transport-ws',
    'Content-Length': '',
    'Content-Type': '',
  }
  const answer = await send(bytesOf({ method: 'GET', target: `/graphql?query=${inUrl('{a}')}`, headers }))
  t.match(answer, /^HTTP\/1\.1 400 graphql-unreadable/)
  t.match(answer, 'WebSocket')
  t.equal(upstream.requests.length, 0)
})

void t.test('a denial has the shape of GraphQL, and its reason', async (t) => {
  const { send } = await setUp(t)
  const answer = await send(bytesOf({ body: json(EVIL) }))
  const body = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)) as unknown
  t.match(body, {
    errors: [
      {
        message:
          'egress: no-rule: No rule of this destination allows this method and path. mutation deleteRepository. (services.api)',
        extensions: { code: 'no-rule', rule: 'services.api', detail: 'mutation deleteRepository' },
      },
    ],
  })
})

void t.test('HTTP/2, many at once', async (t) => {
  const { received, gateway, settled } = await setUp(t)
  const session = await openSession(t, gateway, HOST)
  const head = { ':method': 'POST', ':path': '/graphql', 'content-type': 'application/json' }
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) => ask(session, head, json(index % 2 === 0 ? FINE : EVIL))),
  )
  t.strictSame(
    answers.map(({ status }) => status),
    Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? 200 : 403)),
  )
  t.equal(received.length, 10)
  t.notMatch(received.join(''), 'deleteRepository')
  session.destroy()
  await settled()
})

void t.test(
  'other paths are for the rules of HTTP, and so is the endpoint without rules for GraphQL',
  async (t) => {
    const { received, send } = await setUp(t)
    t.match(await send(bytesOf({ target: '/graphql/schema', body: json(EVIL) })), /^HTTP\/1\.1 200/)
    t.match(await send(bytesOf({ target: '/rest', body: 'x' })), /^HTTP\/1\.1 200/)
    t.equal(received.length, 2)
    const other = await setUp(t, ['allow POST /graphql'])
    t.match(await other.send(bytesOf({ body: json(EVIL) })), /^HTTP\/1\.1 200/)
  },
)
