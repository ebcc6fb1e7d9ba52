import type { Headers } from '#firewall/contracts/credential.js'
import { isConnectionHeader, newHeaders } from './headers.js'

/**
 * RFC 9110 section 6.5.1: what frames, routes, modifies or authenticates a message, or says how to read its content, has no meaning
 * behind it. Threat: a reader that merges trailers into headers believes the last one.
 */
const FORBIDDEN =
  /^(:.*|accept.*|age|allow|authorization|cache-control|content-.*|cookie|date|expect|expires|host|if-.*|location|max-forwards|pragma|proxy-.*|range|retry-after|set-cookie2?|vary|via|warning|www-authenticate)$/

/** Fields; gRPC sends a few. */
const MAX_TRAILERS = 64

/** The trailers that travel on; null where there are none, or more than anybody needs. */
export function trailersToPass(
  trailers: Readonly<Record<string, string | string[] | undefined>> | null,
): Headers | null {
  const kept = newHeaders()
  let lines = 0
  for (const name in trailers ?? {}) {
    const value = trailers?.[name]
    if (value === undefined || isConnectionHeader(name) || FORBIDDEN.test(name)) continue
    lines += [value].flat().length
    kept[name] = value
  }
  return lines === 0 || lines > MAX_TRAILERS ? null : kept
}
