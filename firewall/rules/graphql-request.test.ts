import { createHash } from 'node:crypto'
import t from 'tap'
import { growth } from '#test/fixtures/growth.js'
import { describeField, type GraphqlField } from './graphql.js'
import { readGraphqlRequest, type GraphqlRequest } from './graphql-request.js'

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

function read(parts: Partial<Omit<GraphqlRequest, 'body'>> & { readonly body?: string | Uint8Array }) {
  const { body = '', ...rest } = parts
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  const head = { method: 'POST', query: '', contentType: 'application/json', contentEncoding: undefined }
  return readGraphqlRequest({ ...head, ...rest, body: bytes }, sha256)
}

/** What is asked for, or why it is refused. */
function asked(request: ReturnType<typeof read>): string | readonly string[] {
  return 'reason' in request ? `${request.reason}: ${request.detail}` : request.map(describeField)
}

const post = (members: unknown, rest: Partial<GraphqlRequest> = {}) =>
  asked(read({ ...rest, body: typeof members === 'string' ? members : JSON.stringify(members) }))

const get = (query: string) => asked(read({ method: 'GET', query, contentType: undefined }))

void t.test('the root fields of the operation that runs', (t) => {
  t.strictSame(post({ query: '{ viewer { login } }' }), ['query viewer'])
  t.strictSame(
    post({ query: 'mutation($i: I!) { createIssue(input: $i) { issue { id } } }', variables: {} }),
    ['mutation createIssue'],
  )
  t.strictSame(post({ query: '{ a: viewer { id } viewer: deleteRepository }' }), [
    'query viewer',
    'query deleteRepository',
  ])
  t.strictSame(post({ query: 'subscription { onIssue }', operationName: null, variables: null }), [
    'subscription onIssue',
  ])
  const two = 'query A { viewer { id } } mutation B { deleteRepository }'
  t.strictSame(post({ query: two, operationName: 'A' }), ['query viewer'])
  t.strictSame(post({ query: two, operationName: 'B' }), ['mutation deleteRepository'])
  for (const operationName of [null, '', 'C', 'a', 'A ', 'A\u0000'])
    t.match(post({ query: two, operationName }), 'graphql-unreadable', String(operationName))
  t.strictSame(post({ query: 'query A { viewer { id } }', operationName: '' }), ['query viewer'])
  t.strictSame(post({ query: '{ __typename viewer { id } }' }), ['query viewer'])
  t.strictSame(post({ query: '{ __typename }' }), ['query __typename'])
  t.strictSame(post({ query: 'mutation { deleteRepository @skip(if: true) viewer }' }), [
    'mutation deleteRepository',
    'mutation viewer',
  ])
  t.end()
})

void t.test('fragments are followed', (t) => {
  const query = `mutation { ...a ... on Mutation { two } ... @include(if: false) { three } }
    fragment a on Mutation { one { x } ...b } fragment b on Mutation { four ...a } fragment c on Mutation { five }`
  const fields = post({ query })
  t.strictSame(Array.from(fields).sort(), ['mutation four', 'mutation one', 'mutation three', 'mutation two'])
  t.match(post({ query: '{ ...missing }' }), 'fragment')
  const [first] = read({
    body: JSON.stringify({
      query:
        '{ viewer { ...deep } } fragment deep on User { organization { ... { x: auditLog { id } } ...deep } }',
    }),
  }) as readonly GraphqlField[]
  t.strictSame([...(first?.nested ?? [])].sort(), ['auditLog', 'id', 'organization', 'viewer'])
  t.end()
})

void t.test('arguments: literals, variables and defaults', (t) => {
  const values = (query: string, variables: unknown = {}) => {
    const fields = read({ body: JSON.stringify({ query, variables }) })
    return 'reason' in fields ? fields.detail : Object.fromEntries(fields[0]?.arguments ?? [])
  }
  t.strictSame(values('{ f(a: "x", b: 1, c: true, d: OPEN, e: null, f: [1, "y"]) }'), {
    a: 'x',
    b: '1',
    c: true,
    d: 'OPEN',
    e: null,
    f: ['1', 'y'],
  })
  t.strictSame(values('query($i: I) { f(a: $i) }', { i: { b: ['x'] } }), { a: { b: ['x'] } })
  t.strictSame(values('query($i: I = "d") { f(a: {b: $i}) }'), { a: new Map([['b', 'd']]) })
  t.strictSame(values('query($i: I = "d") { f(a: $i) }', { i: 'x' }), { a: 'x' })
  t.match(values('query($i: I = "d") { f(a: $i) }', { i: null }), { a: { values: [null, 'd'] } })
  t.strictSame(values('{ f(a: $undeclared) }', { undeclared: 'x' }), { a: 'x' })
  t.strictSame(values('{ f(a: $toString) }'), { a: null })
  t.strictSame(values('{ f(a: """\n  x\n  """) }'), { a: 'x' })
  for (const query of ['{ f(a: 1, a: 2) }', '{ f(a: {b: 1, b: 2}) }'])
    t.match(values(query), 'is there twice', query)
  t.match(values('query($a: I, $a: J) { f }'), 'is there twice')
  t.match(values('query($a: I = {b: 1, b: 2}) { f }'), 'is there twice')
  t.end()
})

void t.test('a batch is all of its operations', (t) => {
  const one = { query: '{ viewer { id } }' }
  t.strictSame(post([one, { query: 'mutation { deleteRepository }' }]), [
    'query viewer',
    'mutation deleteRepository',
  ])
  t.match(post([]), 'empty batch')
  t.match(post([one, 'x']), 'not an object')
  t.match(post([one, [one]]), 'not an object')
  t.match(post(new Array(33).fill(one)), 'graphql-too-complex')
  t.end()
})

void t.test('GET, with its parameters in the URL', (t) => {
  t.strictSame(get('?query=%7B+viewer+%7B%20id+%7D%7D&op=Viewer'), ['query viewer'])
  t.strictSame(
    get(
      `?query=${encodeURIComponent('query A($i: I) { f(a: $i) } query B { g }')}&operationName=A&variables=%7B%7D`,
    ),
    ['query f'],
  )
  t.strictSame(get('?query=mutation%7Bm%7D'), ['mutation m'])
  for (const query of [
    '',
    '?query=',
    '?query=%7Ba%7D&query=%7Bb%7D',
    '?query=%7Ba%7D&Query=%7Bb%7D',
    '?query=%7Ba%7D&query[]=%7Bb%7D',
    '?query=%7Ba%7D&%20query=%7Bb%7D',
    '?query=%7Ba%7D&query%00x=%7Bb%7D',
    '?query=%7Ba%7D;query=%7Bb%7D',
    '?query=%7Ba%7D&operation_name=b',
    '?query=%7Ba%7D&variables=%7B%22a%22:1,%22a%22:2%7D',
    '?query=%7Ba%7D&variables=[]',
    '?query=%7Ba%7D%ZZ',
    '?query=%7Ba%7D&x=%ff',
    '?query=%7Ba%7D&extensions=x',
    '?query=%7Ba%7D&documentId=x',
    '?operations=%7B%7D',
  ])
    t.match(get(query), 'graphql-unreadable', query)
  t.match(asked(read({ method: 'GET', query: '?query=%7Ba%7D', body: '{}' })), 'a GET with a body')
  for (const method of ['HEAD', 'PUT', 'DELETE', 'OPTIONS', 'QUERY'])
    t.match(asked(read({ method, query: '?query=%7Ba%7D' })), 'by GET or POST', method)
  t.end()
})

void t.test('application/graphql', (t) => {
  const send = (body: string, rest: Partial<GraphqlRequest> = {}) =>
    asked(read({ contentType: 'application/graphql', ...rest, body }))
  t.strictSame(send('mutation { m }'), ['mutation m'])
  t.match(send('{"query":"{ a }"}'), 'not GraphQL')
  t.match(send('query A { a } query B { b }'), 'none of them is named')
  t.match(send('query A { a } query B { b }', { query: '?operationName=A' }), 'in the URL of a POST')
  t.end()
})

void t.test('what servers read differently is refused', (t) => {
  const body = JSON.stringify({ query: '{ viewer { id } }' })
  const as = (rest: Partial<GraphqlRequest>) => asked(read({ ...rest, body }))
  t.strictSame(as({ query: '?op=Viewer' }), ['query viewer'], 'the same, as it should be')
  for (const contentType of [
    'application/json; charset=utf-8',
    'Application/JSON;charset="UTF-8"',
    'application/json;',
  ])
    t.strictSame(as({ contentType }), ['query viewer'], contentType)
  for (const contentType of [
    undefined,
    '',
    'text/plain',
    'application/json; charset=utf-16',
    'application/json; charset=utf-7',
    'application/json; charset=utf-8; charset=utf-16',
    'application/json, application/graphql',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/graphql+json',
    'application/vnd.api+json',
    ['application/json', 'application/graphql'],
  ])
    t.match(as({ contentType }), 'content type', String(contentType))
  for (const contentEncoding of ['gzip', 'identity, gzip', 'br', 'x', ['identity', 'gzip']])
    t.match(as({ contentEncoding }), 'compressed', String(contentEncoding))
  t.strictSame(as({ contentEncoding: 'identity' }), ['query viewer'])
  for (const query of ['?query=%7Ba%7D', '?Query=x', '?query', '?variables=%7B%7D', '?extensions=', '?id=1'])
    t.match(as({ query }), 'graphql-unreadable', query)
  for (const text of [
    '{"query":"{ a }","query":"mutation { b }"}',
    '{"query":"{ a }","quer\\u0079":"mutation { b }"}',
    '{"query":"{ a }","Query":"mutation { b }"}',
    '{"query":"{ a }","QUERY":"mutation { b }"}',
    '{"query":"{ a }","query\\u0000":"mutation { b }"}',
    '{"query":"{ a }","mutation":"mutation { b }"}',
    '{"query":"{ a }","_method":"DELETE"}',
    '{"query":"{ a }","operations":"x"}',
    '{"query":"{ a }","operationname":"x"}',
    '{"query":["{ a }"]}',
    '{"query":{"kind":"Document"}}',
    '{"query":"{ a }","variables":"{}"}',
    '{"query":"{ a }","variables":[]}',
    '{"query":"{ a }","operationName":1}',
    '{"query":"{ a }","extensions":[]}',
    '{"query":"{ a } # \\u2028 }"}',
    '{"query":"{ a } # \\r }"}',
    '{"query":"\\ufeff{ a }"}',
    '{"query":"{ a } # \\ud800"}',
    '{"query":"{ a } type T { x: Int }"}',
    '{"query":"query { a } query { b }"}',
    '{"query":"query A { a } query A { b }"}',
    '{"query":"{ ...f } fragment f on Q { a } fragment f on Q { b }"}',
    '{"query":"fragment f on Q { a }"}',
    '{"query":"{ }"}',
    '{"query":""}',
    '{"variables":{}}',
    '"{ a }"',
    'null',
    '{ a }',
    '\ufeff{"query":"{ a }"}',
    '',
  ])
    t.match(post(text), 'graphql-unreadable', text)
  t.match(asked(read({ body: Buffer.from('{"query":"{ a } # \u00e9"}', 'latin1') })), 'UTF-8')
  t.match(asked(read({ body: Buffer.from('{"query":"{ a }"}', 'utf16le') })), 'graphql-unreadable')
  t.end()
})

void t.test('a persisted document is its id, and nothing else beside it', (t) => {
  const query = '{ viewer { id } }'
  const hash = sha256(query)
  const of = (sha256Hash: unknown) => ({ persistedQuery: { version: 1, sha256Hash } })
  t.strictSame(post({ extensions: of(hash) }), [`persisted ${hash}`])
  for (const name of ['documentId', 'id', 'doc_id', 'queryId', 'hash'])
    t.strictSame(post({ [name]: 'known', variables: {} }), ['persisted known'], name)
  t.strictSame(get(`?documentId=known`), ['persisted known'])
  t.strictSame(get(`?extensions=${encodeURIComponent(JSON.stringify(of(hash)))}`), [`persisted ${hash}`])
  t.strictSame(post({ query, extensions: of(hash) }), ['query viewer'], 'what is stored is what is seen')
  t.strictSame(post({ query, extensions: { client: 'x' } }), ['query viewer'])
  for (const members of [
    { query, extensions: of(sha256('mutation { deleteRepository }')) },
    { query, documentId: 'known' },
    { query, documentId: null },
    { documentId: 'a', id: 'b' },
    { documentId: 'a', extensions: of('b') },
    { documentId: 1 },
    { documentId: 'a\u0000' },
    { extensions: of(1) },
    { extensions: { persistedQuery: { sha256Hash: 'a', md5: 'b' } } },
    { extensions: { persistedQuery: 'a' } },
    { query, extensions: { persistedQueries: { sha256Hash: 'a' } } },
  ])
    t.match(post(members), 'graphql-unreadable', JSON.stringify(members))
  t.end()
})

void t.test('a document that costs too much is refused', (t) => {
  const deep = (open: string, close: string, levels: number) =>
    `{ ${open.repeat(levels)} a ${close.repeat(levels)} }`
  t.strictSame(post({ query: deep('a {', '}', 60) }), ['query a'])
  for (const query of [
    deep('a {', '}', 64),
    deep('a {', '}', 100_000),
    deep('... {', '}', 200_000),
    `{ a(x: ${'['.repeat(5_000)}`,
    `{ a(x: ${'{x:'.repeat(100)}`,
    `{ ${'a '.repeat(200)} }`,
    `{ ${'a:b '.repeat(50_000)} }`,
    `{ a ${'# x\n{}'.repeat(20_000)} }`,
  ])
    t.match(post({ query }), 'graphql-too-complex', query.slice(0, 20))
  t.match(post(new Array(30).fill({ query: '{ a b c d }' })), 'root fields')
  t.match(post({ query: '{ a }', variables: { x: 'x'.repeat(1_048_576) } }), '1048576 bytes')
  const grows = (work: (size: number) => unknown, size: number) =>
    t.ok(
      growth(
        () => work(size),
        () => work(8 * size),
      ) < 30,
    )
  const chain = (size: number) =>
    `{ ...f0 } ${Array.from({ length: size }, (_, i) => `fragment f${String(i)} on Q { ...f${String(i + 1)} ...f${String(i + 1)} }`).join(' ')} fragment f${String(size)} on Q { a }`
  t.strictSame(post({ query: chain(700) }), ['query a'], 'each fragment is read once')
  grows((size) => post({ query: chain(size) }), 85)
  grows((size) => post({ query: `{ a(x: "${'\\u0041'.repeat(size)}") }` }), 10_000)
  grows((size) => post({ query: `{ a(x: """${'\n  x'.repeat(size)}""") }` }), 10_000)
  grows((size) => post({ query: `{ a ${'#'.repeat(size)}` }), 50_000)
  grows((size) => post({ query: `${'\n'.repeat(size)}{ a ` }), 50_000)
  t.end()
})
