import { createHash } from 'node:crypto'
import type { InjectionFailure, OutgoingRequest } from '#firewall/contracts/credential.js'
import { readBody, unsupported } from './shared.js'
import type { Parameter } from './sigv4-query.js'
import { isS3, PAYLOAD_HEADER } from './sigv4-signer.js'

/** How the body takes part in a signature. */
export interface Payload {
  /** Hexadecimal SHA-256, or the word that stands instead of it. */
  readonly hash: string
  /** Chunks that carry signatures of their own. */
  readonly chunks: 'signed' | 'signed-with-trailer' | null
}

/** Bytes of a body that is read to be hashed. The largest that an AWS service takes without saying its hash. */
export const MAX_HASHED_BODY = 16 * 1024 * 1024

const UNSIGNED = 'UNSIGNED-PAYLOAD'
const EMPTY_HASH = createHash('sha256').digest('hex')

/**
 * Finds out what the signature says of the body: what the client says of it (the service compares that with what it
 * gets), else its hash. S3 over TLS takes bodies without, and so none is held there.
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
      : unsupported(`${PAYLOAD_HEADER} stands there more than once`)
  }
  if (body === null) return { hash: EMPTY_HASH, chunks: null }
  if (isS3(service) && origin.scheme === 'https') return { hash: UNSIGNED, chunks: null }
  const bytes = await readBody(body, MAX_HASHED_BODY)
  return 'reason' in bytes ? bytes : { hash: createHash('sha256').update(bytes).digest('hex'), chunks: null }
}

/** The same for a presigned URL, which S3 gives no hash by default. */
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
        : unsupported(`${PAYLOAD_HEADER} says ${stated}, which is for https alone`)
    default:
      return hashOrError(stated)
  }
}

function hashOrError(stated: string): Payload | InjectionFailure {
  return /^[0-9a-f]{64}$/.test(stated)
    ? { hash: stated, chunks: null }
    : unsupported(`${PAYLOAD_HEADER} holds neither a SHA-256 nor a form of payload that can be signed again`)
}
