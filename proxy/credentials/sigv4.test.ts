import t from 'tap'
import type { Headers, OutgoingRequest } from '#firewall/contracts/credential.js'
import { Secret } from '#firewall/secrets/secret.js'
import { NO_TOOLS, outgoingBody, outgoingRequest } from '#test/fixtures/outgoing.js'
import { stripClientCredential } from '../request/credential-locations.js'
import { MAX_CHUNK } from './sigv4-chunks.js'
import { MAX_HASHED_BODY } from './sigv4-payload.js'
import { Signer } from './sigv4-signer.js'
import { MAX_PRESIGNED_SECONDS, sigv4 } from './sigv4.js'

// The keys and signatures of Amazon's own examples.
const ACCESS = 'AKIAIOSFODNN7EXAMPLE'
const S3_SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'
const SUITE_SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'
const S3_TIME = Date.parse('2013-05-24T00:00:00Z')
const SUITE_TIME = Date.parse('2015-08-30T12:36:00Z')

const PLACEHOLDER = 'AKIASTANDINSTANDIN22'
const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
const HEX = '0'.repeat(64)

interface Sent {
  readonly method?: string
  readonly scheme?: 'http' | 'https'
  readonly target?: string
  readonly headers?: Headers
  readonly body?: readonly Buffer[]
  readonly service?: string
  readonly access?: string
  readonly secret?: string
  readonly token?: string
  readonly now?: number
}

function authorization(signedHeaders: string, key = PLACEHOLDER, algorithm = 'AWS4-HMAC-SHA256'): string {
  return `${algorithm} Credential=${key}/20200101/somewhere/some/aws4_request, SignedHeaders=${signedHeaders}, Signature=${HEX}`
}

/** The request after injection. */
async function resign(sent: Sent) {
  const { access = ACCESS, secret = S3_SECRET, service = 's3', token, target = '/' } = sent
  const credential = sigv4.bind('s3/sigv4', {
    access_key: new Secret('KEY_ID', access),
    secret_key: new Secret('KEY', secret),
    region: new Secret('plain text', 'us-east-1', []),
    service: new Secret('plain text', service, []),
    ...(token === undefined ? {} : { session_token: new Secret('TOKEN', token) }),
  })
  const [path = '', ...query] = target.split('?')
  const headers: Headers = { host: 's3.amazonaws.com', ...sent.headers }
  const body = sent.body === undefined ? null : outgoingBody(sent.body, headers)
  const before = { headers: { ...headers }, query: query.length === 0 ? '' : `?${query.join('?')}` }
  const request: OutgoingRequest = outgoingRequest({
    method: sent.method ?? 'GET',
    origin: { scheme: sent.scheme ?? 'https', host: 's3.amazonaws.com', port: 443 },
    path,
    query: stripClientCredential(credential.locations, headers, before.query),
    headers,
    body,
    sent: before,
    placeholders: new Map([['KEY_ID', PLACEHOLDER]]),
  })
  const error = await credential.inject(request, { ...NO_TOOLS, now: () => sent.now ?? S3_TIME })
  const signature = String(headers['authorization'] ?? '').slice(-64)
  return { error, headers, request, body, signature, credential }
}

void t.test('examples of the S3 reference', async (t) => {
  const get = await resign({
    target: '/test.txt',
    headers: {
      host: 'examplebucket.s3.amazonaws.com',
      range: 'bytes=0-9',
      'x-amz-content-sha256': EMPTY,
      authorization: authorization('host;range;x-amz-content-sha256;x-amz-date'),
    },
  })
  t.equal(get.signature, 'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41')
  t.equal(get.headers['x-amz-date'], '20130524T000000Z')

  const keys = {
    accessKey: new Secret('A', ACCESS),
    secretKey: new Secret('B', S3_SECRET),
    sessionToken: null,
  }
  const signer = await Signer.create(keys, { region: 'us-east-1', service: 's3' }, S3_TIME)
  const host = 'examplebucket.s3.amazonaws.com'
  const signable = { method: 'GET', host, path: '/test.txt', query: [], headers: { host } }
  const added = await signer.presign({ ...signable, payloadHash: 'UNSIGNED-PAYLOAD' }, 86_400)
  t.equal(
    added.find(({ name }) => name === 'X-Amz-Signature')?.value,
    'aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404',
  )
})

/** 66,560 bytes in chunks of 64 KiB, as the reference has them, in pieces of any size. */
function chunked(signatures: readonly string[], trailer: string, pieceSize: number): Buffer[] {
  const data = ['a'.repeat(65_536), 'a'.repeat(1_024), '']
  const text = data
    .map((chunk, index) => {
      const end = chunk === '' ? '' : '\r\n'
      return `${chunk.length.toString(16)};chunk-signature=${signatures[index] ?? ''}\r\n${chunk}${end}`
    })
    .join('')
  const whole = Buffer.from(`${text}${trailer}\r\n`)
  const count = Math.ceil(whole.length / pieceSize)
  return Array.from({ length: count }, (_, index) =>
    whole.subarray(index * pieceSize, (index + 1) * pieceSize),
  )
}

const CHUNKS = {
  host: 's3.amazonaws.com',
  'x-amz-storage-class': 'REDUCED_REDUNDANCY',
  'content-encoding': 'aws-chunked',
  'x-amz-decoded-content-length': '66560',
}
const PLACEHOLDERS = [HEX, HEX, HEX]

void t.test('signed chunks, as in the AWS reference', async (t) => {
  const signatures = [
    'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648',
    '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497',
    'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9',
  ]
  for (const pieceSize of [7, 1_000, 100_000]) {
    const { error, signature, body, headers } = await resign({
      method: 'PUT',
      target: '/examplebucket/chunkObject.txt',
      headers: {
        ...CHUNKS,
        'content-length': '66824',
        'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
        authorization: authorization('content-encoding;content-length;host'),
      },
      body: chunked(PLACEHOLDERS, '', pieceSize),
    })
    t.equal(error, null)
    t.equal(signature, '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9')
    const sent = await body?.sent()
    t.equal(sent?.length, 66_824)
    t.ok(sent?.equals(Buffer.concat(chunked(signatures, '', 66_824))))
    t.equal(headers['content-length'], '66824')
  }
})

void t.test('signed chunks with a trailer, as in the AWS reference', async (t) => {
  const signatures = [
    'b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2',
    '1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7',
    '2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992',
  ]
  const trailer = (signature: string) =>
    `x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:${signature}\r\n`
  const { signature, body } = await resign({
    method: 'PUT',
    target: '/examplebucket/chunkObject.txt',
    headers: {
      ...CHUNKS,
      'x-amz-trailer': 'x-amz-checksum-crc32c',
      'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
      authorization: authorization('content-encoding;host'),
    },
    body: chunked(PLACEHOLDERS, trailer(HEX), 1_000),
  })
  t.equal(signature, '106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e')
  const real = trailer('d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435')
  t.ok((await body?.sent())?.equals(Buffer.concat(chunked(signatures, real, 100_000))))
})

void t.test('chunks that are not what they say end the request before it is complete', async (t) => {
  const chunk = (size: string, data: string, signature = HEX) =>
    `${size};chunk-signature=${signature}\r\n${data}`
  const last = chunk('0', '\r\n')
  const broken: Readonly<Record<string, string>> = {
    'no framing': 'hello',
    nothing: '',
    'a size that is not hexadecimal': chunk('zz', 'aa\r\n') + last,
    'an extension of another kind': '2;x=1\r\naa\r\n0\r\n\r\n',
    'two extensions': `2;chunk-signature=${HEX};x=1\r\naa\r\n${last}`,
    'no signature': `2\r\naa\r\n${last}`,
    'a short signature': chunk('2', 'aa\r\n', 'ab') + last,
    'too large': chunk((MAX_CHUNK + 1).toString(16), 'aa\r\n') + last,
    'a size of 2^32 and more': chunk('fffffffff', 'aa\r\n') + last,
    'longer than it says': chunk('2', 'aaa\r\n') + last,
    'cut off': chunk('2', 'a'),
    'no last chunk': chunk('2', 'aa\r\n'),
    'bare line feeds': `2;chunk-signature=${HEX}\naa\n${last}`,
    'something after it': `${chunk('2', 'aa\r\n')}${last}GET / HTTP/1.1\r\n\r\n`,
    'a trailer that was not announced': `${chunk('2', 'aa\r\n')}${chunk('0', '')}x-amz-checksum-crc32:x\r\n\r\n`,
    'a line without an end': 'a'.repeat(10_000),
  }
  const send = (text: string, stated: string) =>
    resign({
      method: 'PUT',
      headers: { 'x-amz-content-sha256': stated, authorization: authorization('host') },
      body: [Buffer.from(text)],
    })
  for (const [name, text] of Object.entries(broken)) {
    const { body } = await send(text, 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD')
    await t.rejects(Promise.resolve(body?.sent()), { code: 'EGRESS_BODY_UNSUPPORTED' }, name)
  }
  const signed = `x-amz-trailer-signature:${HEX}\r\n`
  const trailers: Readonly<Record<string, string>> = {
    'no signature': 'x-amz-checksum-crc32:AA==\r\n\r\n',
    'nothing at all': '\r\n',
    'something after the signature': `${signed}a:b\r\n\r\n`,
    'a line that is not a header': `a b\r\n${signed}\r\n`,
    'too many': 'a:b\r\n'.repeat(100) + signed,
    'no end': signed,
  }
  for (const [name, text] of Object.entries(trailers)) {
    const { body } = await send(chunk('0', '') + text, 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER')
    await t.rejects(Promise.resolve(body?.sent()), { code: 'EGRESS_BODY_UNSUPPORTED' }, `trailer: ${name}`)
  }
  const { body } = await send(chunk('2', 'aa\r\n') + last, 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD')
  t.equal((await body?.sent())?.length, Buffer.byteLength(chunk('2', 'aa\r\n') + last), 'the control')
})

void t.test('examples of the Signature Version 4 test suite', async (t) => {
  const suite = { service: 'service', secret: SUITE_SECRET, access: 'AKIDEXAMPLE', now: SUITE_TIME }
  const headers = { host: 'example.amazonaws.com', authorization: authorization('host;x-amz-date') }
  const cases: readonly (readonly [name: string, sent: Sent, signature: string])[] = [
    ['get-vanilla', {}, '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
    [
      'get-vanilla-query-order-key-case',
      { target: '/?Param2=value2&Param1=value1' },
      'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
    ],
    [
      'get-vanilla-utf8-query',
      { target: '/?%E1%88%B4=bar' },
      '2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04',
    ],
    ['post-vanilla', { method: 'POST' }, '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b'],
    [
      'post-x-www-form-urlencoded',
      {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded' },
        body: [Buffer.from('Param1=val'), Buffer.from('ue1')],
      },
      'ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a',
    ],
  ]
  for (const [name, sent, signature] of cases) {
    const made = await resign({ ...suite, headers, ...sent })
    t.equal(made.error, null, name)
    t.equal(made.signature, signature, name)
    t.equal(made.headers['x-amz-content-sha256'], undefined, name)
  }
})

void t.test('payload hashes', async (t) => {
  const put = (sent: Sent) => resign({ method: 'PUT', body: [Buffer.from('hello')], ...sent })
  const stated = (value: string) => ({ 'x-amz-content-sha256': value, authorization: authorization('host') })
  const hello = '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824'

  for (const value of [HEX, 'UNSIGNED-PAYLOAD', 'STREAMING-UNSIGNED-PAYLOAD-TRAILER']) {
    const { headers, error, body } = await put({ headers: stated(value) })
    t.equal(error, null, value)
    t.equal(headers['x-amz-content-sha256'], value)
    t.equal(String(await body?.sent()), 'hello', 'passed on as it is')
  }
  for (const value of ['UNSIGNED-PAYLOAD', 'STREAMING-UNSIGNED-PAYLOAD-TRAILER'])
    t.match((await put({ headers: stated(value), scheme: 'http' })).error, { detail: /https/ }, value)
  for (const value of [
    'STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD',
    'STREAMING-AWS4-HMAC-SHA256-EVENTS',
    'unsigned-payload',
    HEX.slice(1),
    '',
  ])
    t.match((await put({ headers: stated(value) })).error, { reason: 'credential-unsupported' }, value)

  t.equal((await put({})).headers['x-amz-content-sha256'], 'UNSIGNED-PAYLOAD', 'S3 over TLS')
  t.equal((await put({ scheme: 'http' })).headers['x-amz-content-sha256'], hello, 'S3 without')
  t.equal((await resign({})).headers['x-amz-content-sha256'], EMPTY, 'no body')
  const large = Array.from({ length: 17 }, () => Buffer.alloc(MAX_HASHED_BODY / 16))
  t.match((await put({ service: 'sqs', body: large })).error, { reason: 'too-large' })
  t.equal((await put({ service: 'sqs', body: large.slice(1) })).error, null)
  t.equal((await put({ body: large })).error, null, 'S3 bodies are not buffered')
})

void t.test('whose signature it is, and of what kind', async (t) => {
  const refused: Readonly<Record<string, Sent>> = {
    'another key': { headers: { authorization: authorization('host', 'AKIAATTACKERATTACKER') } },
    'the real key': { headers: { authorization: authorization('host', ACCESS) } },
    SigV4A: { headers: { authorization: authorization('host', PLACEHOLDER, 'AWS4-ECDSA-P256-SHA256') } },
    'Signature Version 2': { headers: { authorization: `AWS ${PLACEHOLDER}:abc=` } },
    bearer: { headers: { authorization: 'Bearer token' } },
    basic: { headers: { authorization: 'Basic dTpw' } },
    'two of them': { headers: { authorization: [authorization('host'), authorization('host')] } },
    'no scope': {
      headers: {
        authorization: `AWS4-HMAC-SHA256 Credential=${PLACEHOLDER}, SignedHeaders=host, Signature=${HEX}`,
      },
    },
    'no signed headers': {
      headers: { authorization: `AWS4-HMAC-SHA256 Credential=${PLACEHOLDER}/1/a/b/aws4_request` },
    },
    'a fourth field': { headers: { authorization: `${authorization('host')}, Credential=x` } },
    'nothing but the algorithm': { headers: { authorization: 'AWS4-HMAC-SHA256' } },
    'an empty header': { headers: { authorization: '' } },
    'a header and the query': {
      target: '/?X-Amz-Signature=1',
      headers: { authorization: authorization('host') },
    },
    'a presigned URL of Signature Version 2': {
      target: `/?AWSAccessKeyId=${PLACEHOLDER}&Signature=x&Expires=1`,
    },
    'a parameter in another case': {
      target: '/?x-amz-credential=x',
      headers: { authorization: authorization('host') },
    },
    'a broken escape': { target: '/?a=%ff', headers: { authorization: authorization('host') } },
    'an HTML form': { method: 'POST', headers: { 'content-type': 'multipart/form-data; boundary=x' } },
    'a header that is not UTF-8': {
      headers: { 'x-amz-meta-a': '\xff', authorization: authorization('host') },
    },
    'two hashes': { headers: { 'x-amz-content-sha256': [HEX, HEX], authorization: authorization('host') } },
  }
  for (const [name, sent] of Object.entries(refused)) {
    const { error, headers } = await resign(sent)
    t.match(error, { reason: 'credential-unsupported' }, name)
    t.notOk(headers['authorization'], name)
    t.notMatch(JSON.stringify(error), ACCESS, name)
  }
  const foreign = await resign({ headers: { authorization: authorization('host', 'a/b/c') } })
  t.match(foreign.error, { detail: /a key other than the placeholder of KEY_ID/ })
  const compact = authorization('host').replaceAll(', ', ',')
  for (const headers of [{}, { authorization: authorization('host') }, { authorization: compact }]) {
    const made = await resign({ headers })
    t.equal(made.error, null)
    t.match(made.headers['authorization'], `Credential=${ACCESS}/20130524/us-east-1/s3/aws4_request`)
  }
})

void t.test('the signature parameters of the sandbox are removed, its other parameters stay', async (t) => {
  const { headers, request } = await resign({
    target: "/b/k(1):x?prefix=a+b&list-type=2&acl&X=~*'",
    token: 'session-token-0123456789',
    headers: {
      authorization: authorization('host;x-amz-meta-n;user-agent'),
      'x-amz-date': '19990101T000000Z',
      'x-amz-security-token': 'placeholder',
      'x-amz-s3session-token': 'placeholder',
      'x-amz-region-set': '*',
      'x-amz-meta-n': ['\xc3\xa4', 'b'],
      'user-agent': 'x',
    },
  })
  t.equal(headers['x-amz-date'], '20130524T000000Z')
  t.equal(headers['x-amz-security-token'], 'session-token-0123456789')
  t.notOk('x-amz-s3session-token' in headers || 'x-amz-region-set' in headers)
  t.match(
    headers['authorization'],
    /SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-meta-n;x-amz-security-token,/,
  )
  t.strictSame(headers['x-amz-meta-n'], ['\xc3\xa4', 'b'])
  t.equal(request.path, '/b/k%281%29%3Ax')
  t.equal(request.query, '?prefix=a%20b&list-type=2&acl&X=~%2A%27')
})

function presigned(extra = '', expires = '3600', date = '20130524T000000Z'): string {
  const credential = encodeURIComponent(`${PLACEHOLDER}/20130524/x/s3/aws4_request`)
  return `/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=${credential}&X-Amz-Date=${date}&X-Amz-Expires=${expires}&X-Amz-SignedHeaders=host&X-Amz-Signature=${HEX}${extra}`
}

void t.test('presigned URLs are signed again, and do not live longer', async (t) => {
  const made = async (sent: Sent) => {
    const { error, request, headers } = await resign(sent)
    return { error, headers, query: new URLSearchParams(request.query) }
  }
  const { error, query, headers } = await made({
    target: presigned('&versionId=a%2Bb'),
    now: S3_TIME + 60_000,
  })
  t.equal(error, null)
  t.notOk('authorization' in headers || 'x-amz-content-sha256' in headers || 'x-amz-date' in headers)
  t.match(query.get('X-Amz-Credential'), ACCESS)
  t.equal(query.get('X-Amz-Date'), '20130524T000100Z')
  t.equal(query.get('X-Amz-Expires'), String(MAX_PRESIGNED_SECONDS))
  t.match(query.get('X-Amz-Signature'), /^[0-9a-f]{64}$/)
  t.not(query.get('X-Amz-Signature'), HEX)
  t.equal(query.get('versionId'), 'a+b')
  t.equal([...query.keys()].length, 7)

  const short = await made({ target: presigned('', '100'), now: S3_TIME + 40_000 })
  t.equal(short.query.get('X-Amz-Expires'), '60', 'the remaining lifetime')
  const token = await made({
    target: presigned('&X-Amz-Security-Token=placeholder'),
    token: 'token-0123456789',
  })
  t.equal(token.query.get('X-Amz-Security-Token'), 'token-0123456789')
  t.equal((await made({ target: presigned('&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD') })).error, null)

  const refused: Readonly<Record<string, Sent>> = {
    expired: { target: presigned(), now: S3_TIME + 3_600_000 },
    'not yet valid': { target: presigned(), now: S3_TIME - 901_000 },
    'more than a week': { target: presigned('', '604801') },
    'no number': { target: presigned('', '1e3') },
    zero: { target: presigned('', '0') },
    'no date': { target: presigned('', '3600', '2013-05-24') },
    'a month too many': { target: presigned('', '3600', '20131324T000000Z') },
    twice: { target: presigned('&X-Amz-Expires=5') },
    SigV4A: { target: presigned().replace('HMAC-SHA256', 'ECDSA-P256-SHA256') },
    'another key': { target: presigned().replace(PLACEHOLDER, 'AKIAATTACKERATTACKER') },
    'no signature': { target: '/?X-Amz-Expires=60' },
    'a streaming payload': {
      target: presigned(),
      headers: { 'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD' },
    },
  }
  for (const [name, sent] of Object.entries(refused))
    t.match((await made(sent)).error, { reason: 'credential-unsupported' }, name)
})

void t.test('values that cannot be used are refused when the policy is read', (t) => {
  const good = { access_key: ACCESS, secret_key: S3_SECRET, region: 'eu-central-1', service: 's3' }
  t.equal(sigv4.check(good), null)
  for (const bad of [
    { access_key: 'a b' },
    { access_key: 'a,b' },
    { access_key: 'a\r\nb' },
    { session_token: 'a\nb' },
    { region: 'eu/central' },
    { region: '' },
    { service: 'S3' },
    { service: 's3express' },
  ])
    t.type(sigv4.check({ ...good, ...bad }), 'string', JSON.stringify(bad))
  t.end()
})

void t.test('keys that rotate', async (t) => {
  const key = new Secret('KEY', 'first-secret-0123456789')
  const credential = sigv4.bind('s3/sigv4', {
    access_key: new Secret('KEY_ID', ACCESS),
    secret_key: key,
    region: new Secret('plain text', 'us-east-1', []),
    service: new Secret('plain text', 's3', []),
  })
  const sign = async () => {
    const request = outgoingRequest()
    t.equal(await credential.inject(request, { ...NO_TOOLS, now: () => S3_TIME }), null)
    return request.headers['authorization']
  }
  const before = await sign()
  t.equal(await sign(), before)
  key.rotate('second-secret-0123456789')
  t.not(await sign(), before)
  const secretPatterns = credential.secretPatterns().bytes.map(String)
  for (const text of [ACCESS, 'first-secret-0123456789', 'second-secret-0123456789'])
    t.ok(secretPatterns.includes(text))
})
