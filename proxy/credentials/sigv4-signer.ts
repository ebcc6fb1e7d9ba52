import { createHash, createHmac, type Hash } from 'node:crypto'
import type { SignatureV4 } from '@smithy/signature-v4'
import type { Secret } from '#firewall/secrets/secret.js'
import type { Parameter } from './sigv4-query.js'

export interface SigningKeys {
  readonly accessKey: Secret
  readonly secretKey: Secret
  readonly sessionToken: Secret | null
}

export interface Scope {
  readonly region: string
  readonly service: string
}

/** The input of a signature. */
export interface Signable {
  readonly method: string
  readonly host: string
  readonly path: string
  readonly query: readonly Parameter[]
  /** Exactly the headers to sign, by lower-case name. */
  readonly headers: Readonly<Record<string, string>>
  /** Hexadecimal SHA-256 of the body, or a keyword that replaces it. */
  readonly payloadHash: string
}

/**
 * Signs with one timestamp.
 *
 * Source: "AWS Signature Version 4 for API requests" (IAM user guide), as the AWS SDK for JavaScript implements it.
 */
export class Signer {
  readonly #smithy: SignatureV4
  readonly #date: Date
  /** As in a string to sign: `20130524T000000Z`. */
  readonly timestamp: string
  /** As in a string to sign: `20130524/us-east-1/s3/aws4_request`. */
  readonly scope: string

  private constructor(smithy: SignatureV4, { region, service }: Scope, now: number) {
    this.#smithy = smithy
    this.#date = new Date(now)
    this.timestamp = `${this.#date.toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`
    this.scope = `${this.timestamp.slice(0, 8)}/${region}/${service}/aws4_request`
  }

  /** The library is loaded with the first request: most policies do not need it. */
  static async create(keys: SigningKeys, scope: Scope, now: number): Promise<Signer> {
    const { SignatureV4 } = await import('@smithy/signature-v4')
    const token = keys.sessionToken?.reveal()
    const smithy = new SignatureV4({
      ...scope,
      credentials: {
        accessKeyId: keys.accessKey.reveal(),
        secretAccessKey: keys.secretKey.reveal(),
        ...(token === undefined ? {} : { sessionToken: token }),
      },
      sha256: Sha256,
      // S3 signs the path as sent; all other services encode it once more.
      uriEscapePath: !isS3(scope.service),
      applyChecksum: false,
    })
    return new Signer(smithy, scope, now)
  }

  /** The headers to add: `authorization`, `x-amz-date`, and `x-amz-security-token` if there is a session token. */
  async headers(signable: Signable): Promise<Record<string, string>> {
    const signed = await this.#smithy.sign(requestOf(signable), {
      signingDate: this.#date,
      unsignableHeaders: hashOnly(signable),
    })
    const names = ['authorization', 'x-amz-date', 'x-amz-security-token']
    return Object.fromEntries(
      names.flatMap((name) => {
        const value = signed.headers[name]
        return value === undefined ? [] : [[name, value]]
      }),
    )
  }

  /** The parameters to add to a URL, which is then valid for `seconds`. */
  async presign(signable: Signable, seconds: number): Promise<readonly Parameter[]> {
    const signed = await this.#smithy.presign(requestOf(signable), {
      signingDate: this.#date,
      expiresIn: seconds,
      unsignableHeaders: hashOnly(signable),
      unhoistableHeaders: new Set([...Object.keys(signable.headers), PAYLOAD_HEADER]),
    })
    const before = new Set(signable.query.map(({ name }) => name))
    return Object.entries(signed.query ?? {}).flatMap(([name, value]) =>
      before.has(name) || typeof value !== 'string' ? [] : [{ name, value }],
    )
  }

  /** Hexadecimal signature of a string to sign. */
  signString(text: string): Promise<string> {
    return this.#smithy.sign(text, { signingDate: this.#date })
  }
}

/** Services that encode the path once and take the payload hash from a header. */
export function isS3(service: string): boolean {
  return service === 's3' || service.startsWith('s3-')
}

export const PAYLOAD_HEADER = 'x-amz-content-sha256'

/** The library reads the payload hash from this header, which is signed only if it is sent. */
function hashOnly({ headers }: Signable): Set<string> {
  return new Set(headers[PAYLOAD_HEADER] === undefined ? [PAYLOAD_HEADER] : [])
}

function requestOf({ method, host, path, query, headers, payloadHash }: Signable) {
  const bag = Object.create(null) as Record<string, string[]>
  for (const { name, value } of query) (bag[name] ??= []).push(value ?? '')
  return {
    method,
    protocol: 'https:',
    hostname: host,
    path,
    query: bag,
    headers: { ...headers, [PAYLOAD_HEADER]: payloadHash },
  }
}

/** SHA-256 and HMAC-SHA-256 with the interface that the library expects. */
class Sha256 {
  readonly #hash: Hash | ReturnType<typeof createHmac>

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(secret))
  }

  update(chunk: Uint8Array): void {
    this.#hash.update(chunk)
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest())
  }

  reset(): void {
    throw new Error('A hash can be used only once')
  }
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): Buffer {
  if (typeof data === 'string') return Buffer.from(data, 'utf8')
  return ArrayBuffer.isView(data)
    ? Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    : Buffer.from(data)
}
