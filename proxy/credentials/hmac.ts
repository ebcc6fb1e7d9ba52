import { createHash, createHmac } from 'node:crypto'
import type { CredentialKind, OutgoingRequest } from '#firewall/contracts/credential.js'
import { header } from './header.js'
import { derived, field, secretPatternsOf, readBody } from './shared.js'

/** Maximum size of a signed body, in bytes. It is buffered first; webhooks and signed APIs send far less. */
export const MAX_SIGNED_BODY = 4 * 1024 * 1024

const SIGNED = ['method', 'path', 'query', 'host', 'date', 'timestamp', 'body', 'body_sha256', 'lf']
const FORMATS = ['hex', 'base64', 'timestamp']

/**
 * A signature with a shared secret: HMAC (RFC 2104) over a text that the policy defines, in a header of its choice.
 *
 *     sign: "{timestamp}{lf}{method}{lf}{path}{lf}{body_sha256}"      format: "v1={hex}"
 */
export const hmac: CredentialKind = {
  name: 'hmac',
  summary: 'signs the request with a shared secret and sets a header to the signature',
  fields: {
    secret: { secret: true, describe: 'the shared secret' },
    header: { secret: false, describe: 'the header for the signature' },
    sign: {
      secret: false,
      describe: `the text to sign: plain text and ${SIGNED.map((name) => `{${name}}`).join(' ')}`,
    },
    format: {
      secret: false,
      optional: true,
      describe: 'the header value: plain text, {hex} or {base64}, and {timestamp} (default: {hex})',
    },
    algorithm: { secret: false, optional: true, describe: 'sha256 (default) or sha512' },
    timestamp_header: {
      secret: false,
      optional: true,
      describe: 'a header for the signed {timestamp}',
    },
  },
  shorthand: null,
  check({ header: signature = '', sign = '', format = '{hex}', algorithm = 'sha256', timestamp_header }) {
    for (const name of [signature, ...(timestamp_header === undefined ? [] : [timestamp_header])]) {
      const error = header.check({ name })
      if (error !== null) return error
    }
    if (signature.toLowerCase() === timestamp_header?.toLowerCase())
      return 'The signature and the timestamp need different headers'
    if (!['sha256', 'sha512'].includes(algorithm)) return `Unknown algorithm \`${algorithm}\``
    const unknown =
      namesIn(sign).find((name) => !SIGNED.includes(name)) ??
      namesIn(format).find((name) => !FORMATS.includes(name))
    if (unknown !== undefined) return `Unknown variable \`{${unknown}}\``
    if (namesIn(sign).length === 0) return '`sign` contains no part of the request'
    if (!/\{(hex|base64)\}/.test(format)) return '`format` contains neither {hex} nor {base64}'
    const carried = timestamp_header !== undefined || format.includes('{timestamp}')
    return carried === sign.includes('{timestamp}')
      ? null
      : 'A {timestamp} must be both signed and sent (in `timestamp_header` or in `format`)'
  },
  bind(id, values) {
    const secret = field(values, 'secret')
    const name = field(values, 'header').reveal().toLowerCase()
    const sign = field(values, 'sign').reveal()
    const format = values['format']?.reveal() ?? '{hex}'
    const algorithm = values['algorithm']?.reveal() ?? 'sha256'
    const timestampHeader = values['timestamp_header']?.reveal().toLowerCase() ?? null
    const names = new Set(namesIn(sign))
    const needsBody = names.has('body') || names.has('body_sha256')
    const set = [name, ...(timestampHeader === null ? [] : [timestampHeader])]
    return {
      kind: 'hmac',
      id,
      locations: { headers: names.has('date') ? [...set, 'date'] : set },
      async inject(request, { now }) {
        const body =
          needsBody && request.body !== null ? await readBody(request.body, MAX_SIGNED_BODY) : Buffer.alloc(0)
        if ('reason' in body) return body
        const at = new Date(now())
        const timestamp = String(Math.floor(at.getTime() / 1_000))
        const parts = partsOf(request, body, at.toUTCString(), timestamp)
        const mac = createHmac(algorithm, secret.reveal())
        for (const piece of pieces(sign))
          mac.update(piece.name === null ? piece.text : (parts[piece.name] ?? ''))
        const digest = mac.digest()
        if (names.has('date')) request.headers['date'] = parts['date'] as string
        if (timestampHeader !== null) request.headers[timestampHeader] = timestamp
        request.headers[name] = format
          .replaceAll('{hex}', digest.toString('hex'))
          .replaceAll('{base64}', digest.toString('base64'))
          .replaceAll('{timestamp}', timestamp)
        return null
      },
      secretPatterns: derived([secret], () => secretPatternsOf(...secret.revealSensitive())),
    }
  },
}

/** Values of the variables in `sign`. The query has no `?`, the date is in RFC 9110 form, the timestamp in seconds. */
function partsOf(
  { method, path, query, headers }: OutgoingRequest,
  body: Buffer,
  date: string,
  timestamp: string,
): Readonly<Record<string, string | Buffer>> {
  return {
    method,
    path,
    query: query.slice(1),
    host: String(headers['host'] ?? ''),
    date,
    timestamp,
    body,
    body_sha256: createHash('sha256').update(body).digest('hex'),
    lf: '\n',
  }
}

interface Piece {
  /** Null for plain text. */
  readonly name: string | null
  readonly text: string
}

function pieces(template: string): readonly Piece[] {
  return template.split(/(\{[a-z0-9_]+\})/).map((text) => ({
    name: /^\{[a-z0-9_]+\}$/.test(text) ? text.slice(1, -1) : null,
    text,
  }))
}

function namesIn(template: string): readonly string[] {
  return pieces(template).flatMap(({ name }) => (name === null ? [] : [name]))
}
