import { constants } from 'node:http2'

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(constants).flatMap(([name, value]) => {
    const isError =
      /^NGHTTP2_(?!ERR_|FLAG_|STREAM_STATE_|SETTINGS_|HCAT_|NV_FLAG_|DEFAULT_|SESSION_)[A-Z0-9_]+$/.test(name)
    return isError && typeof value === 'number' ? [[value, name.slice('NGHTTP2_'.length)] as const] : []
  }),
)

/** The server ended a stream, or the connection, with an error (RFC 9113 section 7). */
export class Http2Error extends Error {
  readonly code = 'EGRESS_UPSTREAM_HTTP2'

  constructor(code: number) {
    super(`the upstream ended the stream with ${NAMES.get(code) ?? `error ${String(code)}`}`)
  }
}
