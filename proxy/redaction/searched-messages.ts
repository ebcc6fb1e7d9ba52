import type { Headers } from '#firewall/contracts/credential.js'
import { dropHeaders, newHeaders } from '../message/headers.js'
import type { EntityTags } from './entity-tags.js'

/** What asks for an answer that is a difference to another (RFC 3229), or for a digest of it (RFC 9530, RFC 3230). */
const UNSEARCHABLE = ['a-im', 'want-digest', 'want-content-digest', 'want-repr-digest']

/** In which a client takes each message of gRPC and of Connect. */
const MESSAGE_CODINGS = ['grpc-accept-encoding', 'connect-accept-encoding']

/** Changes a request so that its response can be searched. Its range is widened by `widenRange`. */
export function askSearchable(headers: Headers, tags: EntityTags): void {
  headers['accept-encoding'] = 'identity'
  for (const name of MESSAGE_CODINGS) if (headers[name] !== undefined) headers[name] = 'identity'
  dropHeaders(headers, UNSEARCHABLE)
  tags.unseal(headers)
}

/** A digest or signature of the body, in its standard headers and in those of stores and registries. */
const DIGEST = /(^|[-_])(md5|sha-?\d*|digest|hash|checksum|crc\d+c?|crc64[a-z]*|signature|etag)([-_]|$)/

/** Headers that users set on what they store, and gets back as it was set. */
const OF_USERS = /^(x-(amz|goog|ms|oss|cos)-meta-|x-object-meta-)/

/** What copies from somewhere else, into what the client did not send: stores that speak S3, Azure, Swift. */
const COPIES = /copy-(source|from)/

/**
 * Whether a response only confirms an upload: of what the client sent itself, it may have the digests, which multipart uploads
 * name in a body of theirs.
 *
 * @param sent the client's headers
 */
export function confirmsUpload(method: string, sent: Headers, answered: Headers): boolean {
  return (
    method === 'PUT' &&
    answered['content-length'] === '0' &&
    !Object.keys(sent).some((name) => COPIES.test(name))
  )
}

/**
 * Takes digests of the body out of a head, and replaces its entity tag. Threat: a body with stars and a digest of it without
 * them let guesses at the secret be checked offline.
 */
export function withoutDigests(headers: Headers, tags: EntityTags): Headers {
  const kept = newHeaders()
  for (const name in headers) {
    const value = headers[name] ?? ''
    if (name === 'etag') {
      const sealed = tags.seal(String(value))
      if (sealed !== null) kept[name] = sealed
    } else if (!DIGEST.test(name) || OF_USERS.test(name)) kept[name] = value
  }
  return kept
}
