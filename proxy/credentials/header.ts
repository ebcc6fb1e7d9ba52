import type { CredentialKind } from '#firewall/contracts/credential.js'
import { isConnectionHeader } from '../message/headers.js'
import { derived, field, secretPatternsOf } from './shared.js'

/** Headers that decide where a request goes or where it ends: a credential in them would change the request. */
const RESERVED = new Set(['host', 'content-length', 'expect', 'accept-encoding', 'x-sandbox-target'])

/** A custom header, such as `X-Api-Key: <key>` or `Authorization: Token <key>`. */
export const header: CredentialKind = {
  name: 'header',
  summary: 'sets a header to a value that contains the secret',
  fields: {
    name: { secret: false, describe: 'the header name' },
    value: { secret: true, inHeader: true, describe: 'the value, such as `${KEY}` or `Token ${KEY}`' },
  },
  shorthand: null,
  check({ name = '' }) {
    if (!/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(name))
      return `Invalid header name \`${name}\` (RFC 9110 section 5.1)`
    const lower = name.toLowerCase()
    return RESERVED.has(lower) || isConnectionHeader(lower)
      ? `the header \`${name}\` cannot hold a credential`
      : null
  },
  bind(id, values) {
    const name = field(values, 'name').reveal().toLowerCase()
    const value = field(values, 'value')
    return {
      kind: 'header',
      id,
      locations: { headers: [name] },
      inject({ headers }) {
        headers[name] = value.reveal()
        return null
      },
      secretPatterns: derived([value], () => secretPatternsOf(...value.revealSensitive())),
    }
  },
}
