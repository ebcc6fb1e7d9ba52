import type { CredentialKind } from '#firewall/contracts/credential.js'
import { derived, field, secretPatternsOf } from './shared.js'

/** A session cookie (RFC 6265 section 4.2). Other cookies from the sandbox pass. */
export const cookie: CredentialKind = {
  name: 'cookie',
  summary: 'sets a cookie',
  fields: {
    name: { secret: false, describe: 'the name of the cookie' },
    value: { secret: true, inHeader: true, describe: 'the value' },
  },
  shorthand: null,
  check({ name = '', value = '' }) {
    if (!/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(name)) return `Invalid cookie name \`${name}\``
    // RFC 6265 section 4.1.1: these characters would end the value and start another cookie.
    return /[\s",;\\]/.test(value) ? 'The value contains a character that is not allowed in a cookie' : null
  },
  bind(id, values) {
    const name = field(values, 'name').reveal()
    const value = field(values, 'value')
    return {
      kind: 'cookie',
      id,
      locations: { cookies: [name] },
      inject({ headers }) {
        const others = headers['cookie']
        const own = `${name}=${value.reveal()}`
        headers['cookie'] = others === undefined ? own : `${[others].flat().join('; ')}; ${own}`
        return null
      },
      secretPatterns: derived([value], () => secretPatternsOf(...value.revealSensitive())),
    }
  },
}
