import type { CredentialKind } from '#firewall/contracts/credential.js'
import { derived, field, secretPatternsOf } from './shared.js'

/** A session cookie (RFC 6265 section 4.2). Other cookies of the sandbox's travel on. */
export const cookie: CredentialKind = {
  name: 'cookie',
  summary: 'sets a cookie',
  fields: {
    name: { secret: false, describe: 'the name of the cookie' },
    value: { secret: true, describe: 'the value' },
  },
  shorthand: null,
  check({ name = '', value = '' }) {
    if (!/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(name)) return `\`${name}\` cannot be the name of a cookie`
    // RFC 6265 section 4.1.1: what would end the value, and begin another cookie.
    return /[\s",;\\]/.test(value) ? 'the value holds a character that no cookie may have' : null
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
