import { request as requestPlain } from 'node:http'
import { request as requestTls } from 'node:https'
import type { Diagnostic } from '#firewall/names/host-pattern.js'

export interface SourceRequest {
  readonly method: 'GET' | 'POST'
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
  /** PEM of the only authorities that are trusted; null for the public ones. */
  readonly ca: string | null
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

export interface StoreResponse {
  readonly status: number
  /** Undefined when it is no JSON. */
  readonly body: unknown
}

/** Bytes of an answer: a secret with all its fields, and not a download. */
const MAX_ANSWER = 1_048_576

/**
 * Asks a secret store. Its address is the operator's word, so it may be private; redirects are not followed, for the
 * token would go along. Faults are made of names and codes alone.
 */
export function askStore(request: SourceRequest): Promise<StoreResponse | Diagnostic> {
  const { url, method, headers, body, ca, timeoutMs, signal } = request
  const fix = `see that ${url.host} answers, and that its certificate is of a trusted authority (\`ca\`)`
  const timeout = AbortSignal.timeout(timeoutMs)
  return new Promise((settle) => {
    const fail = (error: Error & { code?: string }): void => {
      const late = timeout.aborted ? ` in ${timeoutMs / 1000} s` : ` (${error.code ?? 'no code'})`
      settle({ problem: `${url.host} did not answer${late}`, fix })
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
      (answer) => {
        const chunks: Buffer[] = []
        let length = 0
        answer.on('data', (chunk: Buffer) => {
          length += chunk.length
          if (length > MAX_ANSWER) {
            sent.destroy()
            settle({ problem: `${url.host} answered with more than 1 MiB`, fix })
          } else chunks.push(chunk)
        })
        answer.on('error', fail)
        answer.once('end', () => {
          settle({ status: answer.statusCode ?? 0, body: parseJson(Buffer.concat(chunks).toString('utf8')) })
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

/** A field of an answer, whatever that is. */
export function member(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined
}
