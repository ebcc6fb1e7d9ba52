import { createHash } from 'node:crypto'
import type { InjectionFailure, OutgoingRequest } from '#firewall/contracts/credential.js'
import { readBody, unsupported } from './shared.js'
import type { Parameter } from './sigv4-query.js'
import { isS3, PAYLOAD_HEADER } from './sigv4-signer.js'

/** How the signature covers the body. */
export interface Payload {
  /** Hexadecimal SHA-256, or the keyword that replaces it. */
  readonly hash: string
  /** Whether the chunks have their own signatures. */
  readonly chunks: 'signed' | 'signed-with-trailer' | null
}

/** Maximum size of a body that is buffered for hashing, in bytes: the largest that AWS services accept without a stated hash. */
export const MAX_HASHED_BODY = 16 * 1024 * 1024

const UNSIGNED = 'UNSIGNED-PAYLOAD'
const EMPTY_HASH = createHash('sha256').digest('hex')

/**
 * Decides how the signature covers the body: with the hash that the client states (the service compares it with the body),
 * otherwise with a hash computed here. S3 over TLS accepts unsigned bodies, so they are not buffered.
 */
export async function payloadOf(
  request: OutgoingRequest,
  service: string,
): Promise<Payload | InjectionFailure> {
  const { origin, body } = request
  const stated = request.headers[PAYLOAD_HEADER]
  if (stated !== undefined) {
    return typeof stated === 'string'
      ? statedPayload(stated, origin.scheme === 'https')
      : unsupported(`Duplicate header ${PAYLOAD_HEADER}`)
  }
  if (body === null) return { hash: EMPTY_HASH, chunks: null }
  if (isS3(service) && origin.scheme === 'https') return { hash: UNSIGNED, chunks: null }
  const bytes = await readBody(body, MAX_HASHED_BODY)
  return 'reason' in bytes ? bytes : { hash: createHash('sha256').update(bytes).digest('hex'), chunks: null }
}

/** The same for a presigned URL, which for S3 has no payload hash by default. */
export async function presignedPayloadOf(
  request: OutgoingRequest,
  service: string,
  query: readonly Parameter[],
): Promise<Payload | InjectionFailure> {
  const inQuery = query.find(({ name }) => name === 'X-Amz-Content-Sha256')?.value
  const stated = inQuery ?? request.headers[PAYLOAD_HEADER]
  if (stated === undefined && isS3(service)) return { hash: UNSIGNED, chunks: null }
  if (typeof stated !== 'string') return payloadOf(request, service)
  return stated === UNSIGNED ? { hash: UNSIGNED, chunks: null } : hashOrError(stated)
}

function statedPayload(stated: string, encrypted: boolean): Payload | InjectionFailure {
  switch (stated) {
    case 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD':
      return { hash: stated, chunks: 'signed' }
    case 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER':
      return { hash: stated, chunks: 'signed-with-trailer' }
    case UNSIGNED:
    case 'STREAMING-UNSIGNED-PAYLOAD-TRAILER':
      return encrypted
        ? { hash: stated, chunks: null }
        : unsupported(`${PAYLOAD_HEADER} is ${stated}, which requires https`)
    default:
      return hashOrError(stated)
  }
}

function hashOrError(stated: string): Payload | InjectionFailure {
  return /^[0-9a-f]{64}$/.test(stated)
    ? { hash: stated, chunks: null }
    : unsupported(`${PAYLOAD_HEADER} is neither a SHA-256 hash nor a payload type that can be signed again`)
}
