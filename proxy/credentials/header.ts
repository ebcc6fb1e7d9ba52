import type { CredentialKind } from '#firewall/contracts/credential.js'
import { isConnectionHeader } from '../message/headers.js'
import { derived, field, secretPatternsOf } from './shared.js'

/** Headers that say where a request goes or where it ends: a credential there would change the request itself. */
const RESERVED = new Set(['host', 'content-length', 'expect', 'accept-encoding', 'x-sandbox-target'])

/** A header of the service's own, such as `X-Api-Key: <key>` or `Authorization: Token <key>`. */
export const header: CredentialKind = {
  name: 'header',
  summary: 'sets a header to a value made with the secret',
  fields: {
    name: { secret: false, describe: 'the header name' },
    value: { secret: true, describe: 'the value, such as `${KEY}` or `Token ${KEY}`' },
  },
  shorthand: null,
  check({ name = '' }) {
    if (!/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(name))
      return `\`${name}\` is not a header name (RFC 9110 section 5.1)`
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
