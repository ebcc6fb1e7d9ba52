import { request as requestPlain } from 'node:http'
import { request as requestTls } from 'node:https'
import type { Diagnostic } from '#firewall/contracts/diagnostic.js'

export interface SourceRequest {
  readonly method: 'GET' | 'POST'
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
  /** PEM of the only CAs that are trusted; null for the public ones. */
  readonly ca: string | null
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

export interface StoreResponse {
  readonly status: number
  /** Undefined if it is not JSON. */
  readonly body: unknown
}

/** Bytes of a response: enough for a secret with all its fields. */
const MAX_RESPONSE = 1_048_576

/**
 * Sends a request to a secret store. The operator chose the address, so it may be private. Redirects are not followed, because
 * they would take the token elsewhere. Errors contain only names and codes.
 */
export function requestStore(request: SourceRequest): Promise<StoreResponse | Diagnostic> {
  const { url, method, headers, body, ca, timeoutMs, signal } = request
  const fix = `Check that ${url.host} is running, and that its certificate is from a trusted CA (\`ca\`)`
  const timeout = AbortSignal.timeout(timeoutMs)
  return new Promise((settle) => {
    const fail = (error: Error & { code?: string }): void => {
      const late = timeout.aborted ? ` within ${timeoutMs / 1000} s` : ` (${error.code ?? 'no code'})`
      settle({ problem: `No response from ${url.host}${late}`, fix })
    }
    const send = url.protocol === 'http:' ? requestPlain : requestTls
    const sent = send(
      url,
      {
        method,
        headers: { ...headers, 'accept-encoding': 'identity' },
        agent: false,
        signal: AbortSignal.any([signal, timeout]),
        ...(ca === null ? {} : { ca }),
      },
      (response) => {
        const chunks: Buffer[] = []
        let length = 0
        response.on('data', (chunk: Buffer) => {
          length += chunk.length
          if (length > MAX_RESPONSE) {
            sent.destroy()
            settle({ problem: `The response from ${url.host} is larger than 1 MiB`, fix })
          } else chunks.push(chunk)
        })
        response.on('error', fail)
        response.once('end', () => {
          settle({
            status: response.statusCode ?? 0,
            body: parseJson(Buffer.concat(chunks).toString('utf8')),
          })
        })
      },
    )
    sent.on('error', fail)
    sent.end(body ?? undefined)
  })
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A field of a value of any type; undefined if it has none of this name. */
export function member(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined
}
