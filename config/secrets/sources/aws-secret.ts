import { createHash, createHmac } from 'node:crypto'
import type { Diagnostic } from '#firewall/contracts/diagnostic.js'
import { quote } from '../../issues/quote.js'
import { connectionOf, member, parseJson, requestStore } from './https.js'
import type { SourceTools, StoreWay } from './source.js'

export interface AwsSecretOptions {
  /** Name or ARN. */
  readonly id: string
  readonly region: string
  /** Key of the secret's JSON; null if its whole text is the value. */
  readonly field: string | null
  /** Names of the secrets that contain the key. */
  readonly accessKey: string
  readonly secretKey: string
  readonly sessionToken: string | null
  readonly endpoint: URL
  readonly ca: string | null
  readonly timeoutMs: number
  readonly way: StoreWay
}

/** `GetSecretValue` of AWS Secrets Manager, signed with Signature Version 4. */
export async function readAwsSecret(
  options: AwsSecretOptions,
  { now, valueOf, signal }: SourceTools,
): Promise<string | Diagnostic> {
  const { id, region, field, endpoint, sessionToken, ca, timeoutMs, way } = options
  const body = JSON.stringify({ SecretId: id })
  // Loaded here, because few gateways need it and it takes as long to load as a small policy.
  const { SignatureV4 } = await import('@smithy/signature-v4')
  const signer = new SignatureV4({
    service: 'secretsmanager',
    region,
    credentials: {
      accessKeyId: valueOf(options.accessKey),
      secretAccessKey: valueOf(options.secretKey),
      ...(sessionToken === null ? {} : { sessionToken: valueOf(sessionToken) }),
    },
    sha256: Sha256,
  })
  const { headers } = await signer.sign(
    {
      method: 'POST',
      protocol: endpoint.protocol,
      hostname: endpoint.hostname,
      path: endpoint.pathname,
      headers: {
        host: endpoint.host,
        'content-type': 'application/x-amz-json-1.1',
        'x-amz-target': 'secretsmanager.GetSecretValue',
      },
      body,
    },
    { signingDate: new Date(now()) },
  )
  const response = await requestStore({
    ...{ method: 'POST', url: endpoint, headers, body, ca, timeoutMs, signal },
    connect: connectionOf(way, valueOf),
  })
  if ('problem' in response) return response
  if (response.status !== 200) return statusError(response.status, response.body, id)
  const text = member(response.body, 'SecretString')
  const value = field === null || typeof text !== 'string' ? text : member(parseJson(text), field)
  if (typeof value === 'string') return value
  return field === null
    ? { problem: `Secret ${quote(id)} is not text`, fix: 'Store it as SecretString' }
    : {
        problem: `Secret ${quote(id)} has no text in field ${quote(field)}`,
        fix: 'Store it as JSON, and set `field` to one of its keys',
      }
}

/** Quotes the error type, which is a constant of the API, but not its message, which may contain anything. */
function statusError(status: number, body: unknown, id: string): Diagnostic {
  const type = member(body, '__type')
  const kind = typeof type === 'string' ? /([A-Za-z]{3,60})$/.exec(type)?.[1] : undefined
  return {
    problem: `Cannot read secret ${quote(id)} from Secrets Manager (${kind ?? String(status)})`,
    fix: 'Check the name, the region and the system clock, and that the key may call secretsmanager:GetSecretValue',
  }
}

/** Node's SHA-256 with the signer's interface: a hash, or an HMAC if there is a key. */
class Sha256 {
  readonly #hash: ReturnType<typeof createHash> | ReturnType<typeof createHmac>

  constructor(key?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = key === undefined ? createHash('sha256') : createHmac('sha256', asBytes(key))
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(asBytes(data))
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest())
  }
}

function asBytes(data: string | ArrayBuffer | ArrayBufferView): Buffer {
  if (typeof data === 'string') return Buffer.from(data, 'utf8')
  return ArrayBuffer.isView(data)
    ? Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    : Buffer.from(data)
}
