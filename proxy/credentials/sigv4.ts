import type {
  CredentialKind,
  InjectionFailure,
  Injected,
  OutgoingRequest,
} from '#firewall/contracts/credential.js'
import { derived, field, secretPatternsOf, unsupported } from './shared.js'
import { resignChunks } from './sigv4-chunks.js'
import { readClientSignature, SIGNATURE_PARAMETERS, type ClientSignature } from './sigv4-client-signature.js'
import { payloadOf, presignedPayloadOf, type Payload } from './sigv4-payload.js'
import { escapePath, parseQuery, writeQuery, type Parameter } from './sigv4-query.js'
import { isS3, PAYLOAD_HEADER, Signer, type Scope, type Signable, type SigningKeys } from './sigv4-signer.js'

/**
 * How long a presigned URL is valid after the gateway has signed it again, in seconds: just long enough for clock skew, because
 * it is used immediately. Threat: an upstream returns it (in a redirect or an error), and an attacker uses it later.
 */
export const MAX_PRESIGNED_SECONDS = 900

const SIGNATURE_HEADERS = [
  'authorization',
  'x-amz-date',
  'x-amz-security-token',
  'x-amz-s3session-token',
  'x-amz-region-set',
]

/** Headers that are signed whenever they are present; others only if the client signed them. */
const ALWAYS_SIGNED = /^(host|content-type|content-md5|x-amz-.*)$/

/** Headers that proxies on the way may change: sent, but not signed. */
const NEVER_SIGNED = new Set(['accept-encoding', 'date'])

/** AWS Signature Version 4: a request that the sandbox signed with its placeholders is signed again with the real keys. */
export const sigv4: CredentialKind = {
  name: 'sigv4',
  summary: 'signs the request with AWS Signature Version 4, for S3 and every service that supports it',
  fields: {
    access_key: { secret: true, inHeader: true, describe: 'the access key id' },
    secret_key: { secret: true, describe: 'the secret access key' },
    session_token: {
      secret: true,
      optional: true,
      inHeader: true,
      describe: 'the session token of temporary keys',
    },
    region: { secret: false, describe: 'the region, such as `eu-central-1`' },
    service: { secret: false, describe: 'the name that the service signs with, such as `s3`' },
  },
  shorthand: null,
  check({ access_key = '', session_token = '', region = '', service = '' }) {
    if (!/^[\x21-\x7e]+$/.test(access_key) || access_key.includes(','))
      return 'The access key id contains a character that is not allowed in a header'
    if (!/^[\x21-\x7e]*$/.test(session_token))
      return 'The session token contains a character that is not allowed in a header'
    if (!/^[A-Za-z0-9_-]+$/.test(region)) return `Invalid region \`${region}\``
    if (service === 's3express') return 'S3 Express is not supported: it needs a session for every bucket'
    return /^[a-z0-9-]+$/.test(service) ? null : `Invalid service name \`${service}\``
  },
  bind(id, values) {
    const keys: SigningKeys = {
      accessKey: field(values, 'access_key'),
      secretKey: field(values, 'secret_key'),
      sessionToken: values['session_token'] ?? null,
    }
    const scope = { region: field(values, 'region').reveal(), service: field(values, 'service').reveal() }
    const secrets = [
      keys.accessKey,
      keys.secretKey,
      ...(keys.sessionToken === null ? [] : [keys.sessionToken]),
    ]
    return {
      kind: 'sigv4',
      id,
      locations: { headers: SIGNATURE_HEADERS, query: SIGNATURE_PARAMETERS },
      inject: (request, tools) => sign(request, keys, scope, tools.now),
      secretPatterns: derived(secrets, () =>
        secretPatternsOf(...secrets.flatMap((secret) => secret.revealSensitive())),
      ),
    }
  },
}

async function sign(
  request: OutgoingRequest,
  keys: SigningKeys,
  scope: Scope,
  now: () => number,
): Promise<Injected> {
  const clientSignature = readClientSignature(request.sent)
  if (typeof clientSignature === 'string') return unsupported(clientSignature)
  const query = parseQuery(request.query)
  if (query === null) return unsupported('The query contains a malformed escape')
  const error =
    clientSignatureError(request, keys, clientSignature, now()) ?? conflictingSignature(request, scope, query)
  if (error !== null) return error
  const presigned = clientSignature?.presigned ?? null
  const payload = await (presigned === null
    ? payloadOf(request, scope.service)
    : presignedPayloadOf(request, scope.service, query))
  if ('reason' in payload) return payload
  if (isS3(scope.service) && presigned === null) request.headers[PAYLOAD_HEADER] = payload.hash
  // The signed text must equal the sent text, so both use the form that all servers encode in the same way.
  request.path = escapePath(request.path)
  request.query = writeQuery(query)
  const signable = signableOf(request, query, clientSignature, payload.hash)
  if ('reason' in signable) return signable
  // Reading the body may have taken a while.
  const signedAt = now()
  const signer = await Signer.create(keys, scope, signedAt)
  if (presigned === null) {
    await signHead(request, signer, signable, payload)
  } else {
    const left = Math.max(1, Math.ceil((expiryOf(presigned) - signedAt) / 1_000))
    const added = await signer.presign(signable, Math.min(left, MAX_PRESIGNED_SECONDS))
    request.query = writeQuery([...query, ...added])
  }
  return null
}

async function signHead(
  request: OutgoingRequest,
  signer: Signer,
  signable: Signable,
  { chunks }: Payload,
): Promise<void> {
  const headers = await signer.headers(signable)
  Object.assign(request.headers, headers)
  if (chunks === null || request.body === null) return
  const seed = headers['authorization']?.slice(-64) ?? ''
  const length = request.headers['content-length']
  const transform = resignChunks(signer, seed, chunks === 'signed-with-trailer')
  request.body.transform(transform, typeof length === 'string' ? Number(length) : null)
}

/** Why the client's signature is invalid; null if this sandbox made it with its own placeholders and it has not expired. */
function clientSignatureError(
  { placeholders }: OutgoingRequest,
  { accessKey }: SigningKeys,
  clientSignature: ClientSignature | null,
  now: number,
): InjectionFailure | null {
  if (clientSignature === null) return null
  if (clientSignature.accessKeyId !== placeholders.get(accessKey.name))
    return unsupported(`The request is signed with a key other than the placeholder of ${accessKey.name}`)
  if (clientSignature.presigned === null) return null
  if (now >= expiryOf(clientSignature.presigned)) return unsupported('The presigned URL has expired')
  return clientSignature.presigned.signedAt > now + MAX_PRESIGNED_SECONDS * 1_000
    ? unsupported('The presigned URL is not valid yet')
    : null
}

function expiryOf({ signedAt, expiresInMs }: NonNullable<ClientSignature['presigned']>): number {
  return signedAt + expiresInMs
}

/**
 * Threat: a second signature, with an attacker's keys, in a place that the service reads and the locations do not cover: a
 * parameter in another case, or the fields of an HTML form that uploads to S3.
 */
function conflictingSignature(
  { method, headers }: OutgoingRequest,
  { service }: Scope,
  query: readonly Parameter[],
): InjectionFailure | null {
  const own = new Set<string>(SIGNATURE_PARAMETERS.map((name) => name.toLowerCase()))
  if (query.some(({ name }) => own.has(name.toLowerCase())))
    return unsupported('A signature parameter has the wrong letter case')
  const form = /^\s*multipart\/form-data/i.test(String(headers['content-type'] ?? ''))
  return form && method === 'POST' && isS3(service)
    ? unsupported('S3 uploads by HTML form are not supported; use PUT')
    : null
}

function signableOf(
  { method, path, headers }: OutgoingRequest,
  query: readonly Parameter[],
  clientSignature: ClientSignature | null,
  payloadHash: string,
): Signable | InjectionFailure {
  const signed: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (NEVER_SIGNED.has(name)) continue
    if (!ALWAYS_SIGNED.test(name) && clientSignature?.signedHeaders.has(name) !== true) continue
    const text = utf8Of([value].flat().join(','))
    if (text === null) return unsupported(`The header ${name} is not UTF-8`)
    signed[name] = text
  }
  return { method, host: signed['host'] ?? '', path, query, headers: signed, payloadHash }
}

/** Headers arrive as latin1, one character per byte; the signature covers the bytes. */
function utf8Of(latin1: string): string | null {
  const bytes = Buffer.from(latin1, 'latin1')
  const text = bytes.toString('utf8')
  return Buffer.from(text, 'utf8').equals(bytes) ? text : null
}
