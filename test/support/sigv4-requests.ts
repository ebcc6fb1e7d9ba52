import type { SignatureV4 } from '@smithy/signature-v4'
import { createHash, createHmac } from 'node:crypto'
import type { Headers } from '#firewall/credential.js'
import { parseRequestTarget } from '#firewall/request-path.js'
import { Secret } from '#firewall/secret.js'
import { sigv4 } from '#proxy/credentials/sigv4.js'
import { emptySlots } from '#proxy/slots.js'
import { NO_TOOLS, outgoingBody, outgoingRequest } from './outgoing.js'
import type { OracleRequest } from './sigv4-oracle.js'

// Random requests, spelled as clients may spell them, signed again by the product and by two that are not ours.

const ACCESS = 'AKIDEXAMPLEEXAMPLE'
const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'
const STAND_IN = 'AKIASTANDINSTANDIN22'
const SERVICES = ['s3', 's3', 'dynamodb', 'execute-api', 'lambda']
const LETTERS = [
  'a',
  'Z',
  '0',
  '-',
  '_',
  '.x',
  '~',
  ' ',
  '+',
  '%',
  ':',
  '=',
  '&',
  '(',
  "'",
  '!',
  '*',
  '@',
  ',',
  ';',
  '$',
  'ä',
  '☃',
  '𝄞',
  '"',
  '#',
  '?',
  '|',
  '[',
]

export interface RandomRequest {
  readonly service: string
  readonly method: string
  readonly region: string
  readonly now: number
  readonly presigned: boolean
  /** Decoded. */
  readonly segments: readonly string[]
  readonly parameters: readonly (readonly [name: string, value: string])[]
  readonly headers: Readonly<Record<string, string>>
  readonly signedHeaders: readonly string[]
  readonly body: Buffer | null
  /** The target as the client spells it. */
  readonly target: string
}

/** @param below a pseudo-random number from 0 to limit - 1 */
export function randomRequest(below: (limit: number) => number): RandomRequest {
  const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T
  const text = (longest: number) => Array.from({ length: 1 + below(longest) }, () => pick(LETTERS)).join('')
  const service = pick(SERVICES)
  // What a decoder of paths may read as a dot segment, an escape or a slash never gets to a credential.
  const segment = () => text(6).replace(/%|^[.;]+/g, 'p')
  const segments = Array.from({ length: 1 + below(4) }, segment)
  const names = [...new Set(Array.from({ length: below(5) }, () => text(4)))]
  const parameters = names.flatMap((name) =>
    Array.from({ length: below(4) === 0 ? 2 : 1 }, () => [name, below(5) === 0 ? '' : text(8)] as const),
  )
  const presigned = below(4) === 0
  const body = presigned || below(2) === 0 ? null : Buffer.from(text(50))
  const headers: Record<string, string> = {
    host: `${pick(['a', 'bucket.s3', 'x-1'])}.example.com${pick(['', ':8443'])}`,
    'accept-encoding': 'identity',
    'x-amz-meta-a': text(10).trim() || 'x',
    ...(below(2) === 0 ? { 'content-type': pick(['text/plain', 'application/json; charset=utf-8']) } : {}),
    ...(below(2) === 0 ? { 'x-other': `  ${text(3)}   b ` } : {}),
    ...(below(2) === 0 ? { 'x-amz-content-sha256': body === null ? sha256('') : sha256(body) } : {}),
  }
  const spelled = (value: string, raw: RegExp) =>
    Array.from(value, (one) => (raw.test(one) && below(2) === 0 ? one : escape(one, below))).join('')
  const path = `/${segments.map((one) => spelled(one, /[A-Za-z0-9._~!$&'()*,;=:@+-]/)).join('/')}`
  const query = parameters
    .map(
      ([name, value]) =>
        `${spelled(name, /[A-Za-z0-9._~!$'()*,;:@?-]/)}=${spelled(value, /[A-Za-z0-9._~!$'()*,;:@?=-]/)}`,
    )
    .join('&')
  return {
    service,
    method: pick(['GET', 'PUT', 'POST', 'DELETE', 'HEAD']),
    region: pick(['us-east-1', 'eu-central-1']),
    now: Date.parse('2020-01-01T00:00:00Z') + below(1e9) * 1_000,
    presigned,
    segments,
    parameters,
    headers,
    signedHeaders: ['host', ...(below(2) === 0 ? ['x-other'] : [])],
    body,
    target: path + (query === '' ? '' : `?${query}`),
  }
}

function escape(character: string, below: (limit: number) => number): string {
  if (character === ' ' && below(2) === 0) return '%20'
  const hex = [...Buffer.from(character)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')
  return below(2) === 0 ? hex : hex.toUpperCase()
}

function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex')
}

/** What the product sends. Null when the proxy refuses the path, which then reaches no credential. */
export async function resignedByProduct(random: RandomRequest) {
  const { service, region, now, presigned } = random
  const credential = sigv4.bind('x/sigv4', {
    access_key: new Secret('KEY_ID', ACCESS),
    secret_key: new Secret('KEY', SECRET),
    region: new Secret('plain text', region, []),
    service: new Secret('plain text', service, []),
  })
  const scope = `${STAND_IN}/20200101/x/y/aws4_request`
  const signed = random.signedHeaders.join(';')
  const separator = random.target.includes('?') ? '&' : '?'
  const date = new Date(now).toISOString().slice(0, 19).replace(/[-:]/g, '')
  const signature = `X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=${encodeURIComponent(scope)}&X-Amz-Date=${date}Z&X-Amz-Expires=300&X-Amz-SignedHeaders=${signed}&X-Amz-Signature=0`
  const target = parseRequestTarget(random.target + (presigned ? separator + signature : ''))
  if (typeof target === 'string') return null
  const headers: Headers = Object.fromEntries(
    Object.entries(random.headers).map(([name, value]) => [name, Buffer.from(value).toString('latin1')]),
  )
  if (!presigned)
    headers['authorization'] = `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=${signed}, Signature=0`
  const sent = { headers: { ...headers }, query: target.query }
  const request = outgoingRequest({
    method: random.method,
    path: target.path,
    query: emptySlots(credential.slots, headers, target.query),
    headers,
    body: random.body === null ? null : outgoingBody([random.body], headers),
    sent,
    standIns: new Map([['KEY_ID', STAND_IN]]),
  })
  const fault = await credential.inject(request, { ...NO_TOOLS, now: () => now })
  if (fault !== null) throw new Error(`${fault.detail}: ${random.target}`)
  const names = presigned
    ? (new URLSearchParams(request.query).get('X-Amz-SignedHeaders') ?? '')
    : (/SignedHeaders=([^,]*)/.exec(String(headers['authorization']))?.[1] ?? '')
  return {
    request,
    signature: presigned
      ? (new URLSearchParams(request.query).get('X-Amz-Signature') ?? '')
      : String(headers['authorization']).slice(-64),
    signedHeaders: names.split(';'),
  }
}

type Resigned = NonNullable<Awaited<ReturnType<typeof resignedByProduct>>>

/** What is on the wire, for botocore. */
export function oracleRequest(random: RandomRequest, { request, signedHeaders }: Resigned): OracleRequest {
  const { headers, path, query } = request
  const values = signedHeaders.map((name) => [name, Buffer.from(String(headers[name]), 'latin1').toString()])
  const unsigned = random.presigned && random.service === 's3' ? 'UNSIGNED-PAYLOAD' : null
  const hash = headers['x-amz-content-sha256'] ?? unsigned ?? sha256(random.body ?? '')
  return {
    method: request.method,
    url: `https://${String(headers['host'])}${path}${query.replace(/&?X-Amz-Signature=[0-9a-f]*/, '')}`,
    headers: Object.fromEntries(values) as Record<string, string>,
    payload_hash: String(hash),
    timestamp: `${new Date(random.now).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`,
    region: random.region,
    service: random.service,
    secret: SECRET,
  }
}

/**
 * The signature that the AWS SDK's library makes of what the client meant, without any spelling: segments, parameters and
 * headers as they were before the client wrote them down.
 */
export async function signedBySdk(
  Sdk: typeof SignatureV4,
  random: RandomRequest,
  { request, signedHeaders }: Resigned,
): Promise<string> {
  const { service, region, method, presigned } = random
  const kept = signedHeaders.filter((name) => !['x-amz-date', 'x-amz-content-sha256'].includes(name))
  const headers = Object.fromEntries(kept.map((name) => [name, random.headers[name] ?? '']))
  const query: Record<string, string[]> = {}
  for (const [name, value] of random.parameters) (query[name] ??= []).push(value)
  const stated = request.headers['x-amz-content-sha256']
  const signer = new Sdk({
    service,
    region,
    credentials: { accessKeyId: ACCESS, secretAccessKey: SECRET },
    sha256: NodeHash,
    uriEscapePath: service !== 's3',
    applyChecksum: false,
  })
  const unsigned = presigned && service === 's3' && stated === undefined
  const made = {
    method,
    protocol: 'https:',
    hostname: 'unused',
    path: `/${random.segments.map(encodeSegment).join('/')}`,
    query,
    headers: {
      ...headers,
      ...(unsigned ? { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' } : {}),
      ...(stated === undefined ? {} : { 'x-amz-content-sha256': String(stated) }),
    },
    body: random.body ?? undefined,
  }
  const signingDate = new Date(random.now)
  if (!presigned) return (await signer.sign(made, { signingDate })).headers['authorization']?.slice(-64) ?? ''
  const signed = await signer.presign(made, {
    signingDate,
    expiresIn: 300,
    unhoistableHeaders: new Set(Object.keys(made.headers)),
    ...(unsigned ? { unsignableHeaders: new Set(['x-amz-content-sha256']) } : {}),
  })
  return String(signed.query?.['X-Amz-Signature'])
}

function encodeSegment(segment: string): string {
  return [...Buffer.from(segment)]
    .map((byte) => {
      const character = String.fromCharCode(byte)
      return /[A-Za-z0-9\-._~]/.test(character)
        ? character
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
    })
    .join('')
}

class NodeHash {
  readonly #hash
  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash =
      secret === undefined
        ? createHash('sha256')
        : createHmac('sha256', typeof secret === 'string' ? secret : new Uint8Array(secret as Uint8Array))
  }
  update(data: Uint8Array) {
    this.#hash.update(data)
  }
  digest() {
    return Promise.resolve(new Uint8Array(this.#hash.digest()))
  }
  reset() {
    throw new Error('a hash is used once')
  }
}
