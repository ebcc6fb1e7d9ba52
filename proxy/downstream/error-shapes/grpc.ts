import { headerText, type ErrorMessage, type ErrorResponse, type ErrorShape } from './shape.js'

/** Of `google.rpc.Code`. UNAUTHENTICATED is not among them: no client is to look for a credential. */
const INVALID_ARGUMENT = 3
const DEADLINE_EXCEEDED = 4
const NOT_FOUND = 5
const PERMISSION_DENIED = 7
const FAILED_PRECONDITION = 9
const RESOURCE_EXHAUSTED = 8
const INTERNAL = 13
const UNAVAILABLE = 14
const UNKNOWN = 2

const CODES: Readonly<Record<number, number>> = {
  400: INVALID_ARGUMENT,
  403: PERMISSION_DENIED,
  404: NOT_FOUND,
  413: RESOURCE_EXHAUSTED,
  415: INVALID_ARGUMENT,
  425: FAILED_PRECONDITION,
  429: RESOURCE_EXHAUSTED,
  431: RESOURCE_EXHAUSTED,
  500: INTERNAL,
  502: UNAVAILABLE,
  503: UNAVAILABLE,
  504: DEADLINE_EXCEEDED,
}

/**
 * A gRPC status without a message before it ("Trailers-Only" in gRPC over HTTP/2): status 200, and the trailers are the head.
 * gRPC-Web has the same form.
 */
export const grpc: ErrorShape = {
  name: 'gRPC',
  recognises: (asker) =>
    /^application\/grpc(-web|-web-text)?($|[+;\s])/.test(headerText(asker, 'content-type')),
  write(message, asker): ErrorResponse {
    return {
      status: 200,
      headers: {
        'content-type': headerText(asker, 'content-type').replace(/[;\s].*$/s, ''),
        'grpc-status': String(grpcStatusOf(message)),
        'grpc-message': escape(message.text),
        ...(message.retryAfter === null
          ? {}
          : { 'grpc-retry-pushback-ms': String(message.retryAfter * 1000) }),
      },
      body: null,
    }
  },
}

export function grpcStatusOf({ status }: Pick<ErrorMessage, 'status'>): number {
  return CODES[status] ?? UNKNOWN
}

/** Percent-encoded UTF-8: space to `~` without `%` stand for themselves. */
function escape(text: string): string {
  return [...Buffer.from(text)]
    .map((byte) =>
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
    )
    .join('')
}
