import { createHash, createHmac } from 'node:crypto'
import type { Diagnostic } from '#firewall/names/host-pattern.js'
import { quote } from '../redact-message.js'
import { askStore, member, parseJson } from './https.js'
import type { SourceTools } from './source.js'

export interface AwsSecretOptions {
  /** Name or ARN. */
  readonly id: string
  readonly region: string
  /** Key of the secret's JSON; null when its whole text is the value. */
  readonly field: string | null
  /** Names of the secrets that hold the key. */
  readonly accessKey: string
  readonly secretKey: string
  readonly sessionToken: string | null
  readonly endpoint: URL
  readonly ca: string | null
  readonly timeoutMs: number
}

/** `GetSecretValue` of AWS Secrets Manager, signed with Signature Version 4. */
export async function readAwsSecret(
  options: AwsSecretOptions,
  { now, valueOf, signal }: SourceTools,
): Promise<string | Diagnostic> {
  const { id, region, field, endpoint, sessionToken, ca, timeoutMs } = options
  const body = JSON.stringify({ SecretId: id })
  // Loaded here, for most gateways never need it and it takes as long as a small policy.
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
  const answer = await askStore({ method: 'POST', url: endpoint, headers, body, ca, timeoutMs, signal })
  if ('problem' in answer) return answer
  if (answer.status !== 200) return statusError(answer.status, answer.body, id)
  const text = member(answer.body, 'SecretString')
  const value = field === null || typeof text !== 'string' ? text : member(parseJson(text), field)
  if (typeof value === 'string') return value
  return field === null
    ? { problem: `the secret ${quote(id)} is no text`, fix: 'store it as SecretString' }
    : {
        problem: `the secret ${quote(id)} has no text in the field ${quote(field)}`,
        fix: 'store it as JSON, and name one of its keys under `field`',
      }
}

/** The kind of error is a word of the API; its message is not repeated, for nobody knows what stands in it. */
function statusError(status: number, body: unknown, id: string): Diagnostic {
  const type = member(body, '__type')
  const kind = typeof type === 'string' ? /([A-Za-z]{3,60})$/.exec(type)?.[1] : undefined
  return {
    problem: `Secrets Manager did not give the secret ${quote(id)} (${kind ?? String(status)})`,
    fix: 'see that name and region are right, that the clock is, and that the key may call secretsmanager:GetSecretValue on it',
  }
}

/** Node's SHA-256 as the signer takes it: a hash, or a MAC where it is given a key. */
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
