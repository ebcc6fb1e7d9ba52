import t from 'tap'
import { REASONS, type Reason } from '#firewall/contracts/reasons.js'
import { deny } from '../../contracts/denial.js'
import { denialResponse, denialText } from '../denial.js'
import { ERROR_SHAPES } from './index.js'
import type { Asker } from './shape.js'

const DENIAL = deny('no-rule', { rule: 'services.jira', detail: 'a <b> & "c" 100% \u00fc' })
const TEXT =
  'egress: no-rule: No rule of this destination allows this method and path. a <b> & "c" 100% \u00fc. (services.jira)'

const asker = (headers: Asker['headers'], method = 'GET', target = '/x'): Asker => ({
  method,
  target,
  headers,
})

const SIGNED = 'AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20260101/eu-central-1/'

/** What clients send, and the shape that they get. */
const CLIENTS: readonly (readonly [client: string, asker: Asker, shape: string])[] = [
  ['curl', asker({ accept: '*/*', 'user-agent': 'curl/8.0' }), 'problem'],
  ['a browser', asker({ accept: 'text/html,application/xhtml+xml,*/*;q=0.8' }), 'problem'],
  ['nobody', asker({}), 'problem'],
  ['pip', asker({ accept: 'application/vnd.pypi.simple.v1+json, text/html; q=0.1' }), 'problem'],
  ['git', asker({ 'user-agent': 'git/2.39.5', accept: '*/*' }), 'plain text'],
  ['libgit2', asker({ accept: '*/*' }, 'GET', '/a/b.git/info/refs?service=git-upload-pack'), 'plain text'],
  ['text alone', asker({ accept: 'text/plain; charset=utf-8' }), 'plain text'],
  ['npm', asker({ 'user-agent': 'npm/10.8.2 node/v20', 'npm-command': 'install' }), 'error text'],
  ['npm install', asker({ accept: 'application/vnd.npm.install-v1+json; q=1.0, */*' }), 'error text'],
  ['boto3', asker({ authorization: `${SIGNED}s3/aws4_request, SignedHeaders=host` }), 'S3'],
  [
    'a presigned URL',
    asker({}, 'GET', '/b/k?X-Amz-Credential=AKIA%2F20260101%2Feu-central-1%2Fs3%2Faws4_request'),
    'S3',
  ],
  ['S3 without a key', asker({ 'amz-sdk-invocation-id': '1' }), 'S3'],
  ['DynamoDB', asker({ authorization: `${SIGNED}dynamodb/aws4_request, SignedHeaders=host` }, 'POST'), 'AWS'],
  [
    'STS',
    asker({ 'amz-sdk-request': '1', 'content-type': 'application/x-www-form-urlencoded' }, 'POST'),
    'AWS',
  ],
  ['JSON-RPC', asker({ 'content-type': 'application/json-rpc' }, 'POST'), 'JSON-RPC'],
  ['JSON-RPC by its path', asker({ 'content-type': 'application/json' }, 'POST', '/api/jsonrpc'), 'JSON-RPC'],
  [
    'MCP',
    asker({ 'content-type': 'application/json', accept: 'application/json, text/event-stream' }, 'POST'),
    'JSON-RPC',
  ],
  ['GraphQL by its path', asker({ 'content-type': 'application/json' }, 'POST', '/api/graphql'), 'GraphQL'],
  ['GraphQL by its type', asker({ accept: 'application/graphql-response+json' }, 'POST', '/q'), 'GraphQL'],
  ['absolute form', asker({}, 'POST', 'https://api.example/GraphQL?x=/y'), 'GraphQL'],
  ['Graph', asker({ host: 'graph.microsoft.com', accept: 'application/json' }), 'error object'],
  ['OData', asker({ 'odata-version': '4.0' }), 'error object'],
  ['OpenAI', asker({ 'x-stainless-lang': 'js', accept: 'application/json' }, 'POST'), 'error object'],
  ['Google', asker({ 'x-goog-api-client': 'gl-python/3.12' }, 'POST'), 'error object'],
  ['gRPC', asker({ 'content-type': 'application/grpc' }, 'POST', '/a.B/C'), 'gRPC'],
  ['gRPC with a codec', asker({ 'content-type': 'application/grpc+proto' }, 'POST', '/a.B/C'), 'gRPC'],
  ['gRPC-Web', asker({ 'content-type': 'application/grpc-web-text' }, 'POST', '/a.B/C'), 'gRPC'],
  ['two types', asker({ 'content-type': ['application/grpcx', 'application/grpc'] }, 'POST'), 'problem'],
]

void t.test('each client gets the shape that it reads', (t) => {
  for (const [client, asking, name] of CLIENTS) {
    t.equal(ERROR_SHAPES.find((shape) => shape.recognises(asking))?.name, name, client)
    const { headers, body, status, phrase } = denialResponse(asking, DENIAL, 'id-1')
    t.equal(phrase, 'no-rule')
    t.equal(headers['x-egress-request-id'], 'id-1')
    t.equal(headers['content-length'] ?? null, body === null ? null : String(body.length), client)
    t.match(`${JSON.stringify(headers)}${String(body)}`, 'no-rule', client)
    t.equal(status, name === 'gRPC' ? 200 : 403, client)
  }
  t.end()
})

void t.test('the shapes say the same', (t) => {
  const written = (asking: Asker) => String(denialResponse(asking, DENIAL, 'id-1').body)
  const json = (asking: Asker) => JSON.parse(written(asking)) as unknown
  const of = (name: string) => CLIENTS.find(([, , shape]) => shape === name)?.[1] ?? asker({})
  t.match(json(of('problem')), {
    type: 'urn:egress:no-rule',
    status: 403,
    rule: 'services.jira',
    message: TEXT,
  })
  t.match(json(of('error object')), { error: { code: 'no-rule', message: TEXT }, reason: 'no-rule' })
  t.match(json(of('error text')), { error: TEXT, reason: 'no-rule' })
  t.match(json(of('JSON-RPC')), { jsonrpc: '2.0', id: null, error: { code: -32000, message: TEXT } })
  t.strictSame(Object.keys(json(of('GraphQL')) as object), ['errors'])
  t.match(json(of('GraphQL')), { errors: [{ message: TEXT, extensions: { code: 'no-rule' } }] })
  t.equal(written(of('plain text')), `${TEXT}\n`)
  t.match(written(of('S3')), '<Error><Code>AccessDenied</Code><Message>egress: no-rule: No rule')
  t.match(written(of('S3')), 'a &lt;b&gt; &amp; &quot;c&quot; 100% \u00fc.')
  t.match(written(of('S3')), '<Resource>/x</Resource><RequestId>id-1</RequestId>')
  t.match(json(of('AWS')), { __type: 'AccessDeniedException', message: TEXT })
  const grpc = denialResponse(of('gRPC'), DENIAL, 'id-1')
  t.match(grpc, {
    status: 200,
    body: null,
    headers: { 'grpc-status': '7', 'content-type': 'application/grpc' },
  })
  t.equal(decodeURIComponent(grpc.headers['grpc-message'] ?? ''), TEXT)
  t.match(grpc.headers['grpc-message'], '100%25 %C3%BC')
  t.end()
})

void t.test('no answer asks for credentials, and none can be split', (t) => {
  for (const reason of Object.keys(REASONS) as Reason[]) {
    const denial = deny(reason, { detail: 'x\r\nWWW-Authenticate: Basic\r\n\r\n', retryAfter: 3 })
    for (const [client, asking] of CLIENTS) {
      const { status, headers } = denialResponse(asking, denial, 'id')
      t.not(status, 401, client)
      t.not(headers['grpc-status'], '16', client)
      for (const [name, value] of Object.entries(headers)) {
        t.notMatch(name, 'authenticate')
        t.notMatch(value, /[\r\n]/, `${client} ${name}`)
      }
      t.equal(headers['retry-after'], '3')
    }
    t.match(denialText(denial, 'id'), new RegExp(`^HTTP/1\\.1 \\d{3} ${reason}\\r\\n`))
    t.notMatch(denialText(denial, 'id').split('\r\n\r\n', 1)[0], 'Authenticate')
  }
  t.end()
})

void t.test('JSON has the name that was asked for', (t) => {
  const typeFor = (accept: string) => denialResponse(asker({ accept }), DENIAL, 'id').headers['content-type']
  t.equal(typeFor('application/vnd.github.v3+json'), 'application/json')
  t.equal(typeFor('application/json, */*'), 'application/json')
  t.equal(typeFor('application/json, application/problem+json'), 'application/problem+json')
  t.equal(typeFor('*/*'), 'application/problem+json')
  t.end()
})

void t.test('another status than that of the reason is kept', (t) => {
  const denial = deny('upgrade-refused')
  t.equal(denialResponse(asker({}), denial, 'id', 426).status, 426)
  t.equal(denialResponse(asker({}), denial, 'id').status, 502)
  t.end()
})
