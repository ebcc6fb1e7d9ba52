import type { Headers } from '#firewall/contracts/credential.js'
import { parseQuery } from './sigv4-query.js'

/**
 * The parameters of a presigned URL (Amazon S3 API reference, "Authenticating requests: using query parameters"), and those of
 * similar schemes that the gateway does not sign.
 */
export const SIGNATURE_PARAMETERS = [
  'X-Amz-Algorithm',
  'X-Amz-Credential',
  'X-Amz-Date',
  'X-Amz-Expires',
  'X-Amz-SignedHeaders',
  'X-Amz-Signature',
  'X-Amz-Security-Token',
  'X-Amz-S3session-Token',
  'X-Amz-Region-Set',
] as const

/** How the sandbox signed the request. Its signature itself, made with a placeholder, is not used. */
export interface ClientSignature {
  readonly accessKeyId: string
  /** Lower-case names. */
  readonly signedHeaders: ReadonlySet<string>
  /** Null for a signature in a header. */
  readonly presigned: { readonly signedAt: number; readonly expiresInMs: number } | null
}

/** Presigned URLs are valid for at most one week. */
const MAX_EXPIRES_SECONDS = 604_800

/**
 * Reads how the sandbox signed a request. Never throws.
 *
 * @returns null if it did not sign, an error message if the signature cannot be replaced
 */
export function readClientSignature(sent: {
  readonly headers: Headers
  readonly query: string
}): ClientSignature | string | null {
  const authorization = sent.headers['authorization']
  const pairs = parseQuery(sent.query)
  if (pairs === null) return 'The query contains a malformed escape'
  const names = new Set(pairs.map(({ name }) => name))
  const presigned = SIGNATURE_PARAMETERS.some((name) => names.has(name))
  if (presigned && authorization !== undefined)
    return 'The request is signed both in a header and in the query'
  if (names.has('AWSAccessKeyId') && names.has('Signature'))
    return 'The URL is presigned with Signature Version 2; configure the client for Signature Version 4'
  if (authorization !== undefined)
    return typeof authorization === 'string'
      ? readAuthorization(authorization)
      : 'The request has several Authorization headers'
  if (!presigned) return null
  const parameters = new Map<string, string>()
  for (const { name, value } of pairs) {
    if (parameters.has(name) && name.startsWith('X-Amz-')) return `Duplicate query parameter ${name}`
    parameters.set(name, value ?? '')
  }
  return readPresigned(parameters)
}

function readAuthorization(text: string): ClientSignature | string {
  const error = algorithmError(text.split(' ', 1)[0] ?? '')
  if (error !== null) return error
  const parts = text.slice(text.indexOf(' ') + 1).split(',')
  const fields = new Map(
    parts.map((part) => {
      const [, name = '', value = ''] = /^ *([A-Za-z]+)=(\S+) *$/.exec(part) ?? []
      return [name, value] as const
    }),
  )
  const clientSignature = clientSignatureOf(fields.get('Credential'), fields.get('SignedHeaders'), null)
  return clientSignature === null || parts.length !== 3 || !fields.has('Signature')
    ? 'The Authorization header does not follow Signature Version 4'
    : clientSignature
}

function readPresigned(parameters: ReadonlyMap<string, string>): ClientSignature | string {
  const error = algorithmError(parameters.get('X-Amz-Algorithm') ?? '')
  if (error !== null) return error
  const signedAt = parseDate(parameters.get('X-Amz-Date') ?? '')
  const expires = parameters.get('X-Amz-Expires') ?? ''
  const seconds = /^[1-9]\d{0,6}$/.test(expires) ? Number(expires) : null
  if (signedAt === null || seconds === null || seconds > MAX_EXPIRES_SECONDS)
    return 'The presigned URL has an invalid X-Amz-Date or X-Amz-Expires'
  const clientSignature = clientSignatureOf(
    parameters.get('X-Amz-Credential'),
    parameters.get('X-Amz-SignedHeaders'),
    {
      signedAt,
      expiresInMs: seconds * 1_000,
    },
  )
  return clientSignature ?? 'The presigned URL has an invalid X-Amz-Credential or X-Amz-SignedHeaders'
}

function algorithmError(algorithm: string): string | null {
  if (algorithm === 'AWS4-HMAC-SHA256') return null
  if (algorithm === 'AWS4-ECDSA-P256-SHA256')
    return 'The client signs with SigV4A (AWS4-ECDSA-P256-SHA256); configure it for one region and Signature Version 4'
  return algorithm === 'AWS'
    ? 'The client signs with Signature Version 2; configure it for Signature Version 4'
    : 'The client does not authenticate with Signature Version 4'
}

/** Key ids of other services may contain slashes, so the scope is the last four parts. */
function clientSignatureOf(
  credential: string | undefined,
  signedHeaders: string | undefined,
  presigned: ClientSignature['presigned'],
): ClientSignature | null {
  const match = /^(.+)\/\d{8}\/[^/]+\/[^/]+\/aws4_request$/.exec(credential ?? '')
  if (match === null || signedHeaders === undefined) return null
  const names = signedHeaders.split(';')
  if (!names.every((name) => /^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(name))) return null
  return { accessKeyId: match[1] ?? '', signedHeaders: new Set(names), presigned }
}

/** ISO 8601 basic form in UTC: `20130524T000000Z`. Milliseconds since 1970, or null. */
function parseDate(text: string): number | null {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text)
  if (match === null) return null
  const [, year = '', month = '', day = '', hour = '', minute = '', second = ''] = match
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  return Number.isNaN(time) ? null : time
}
