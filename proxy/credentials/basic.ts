import type { CredentialKind } from '#firewall/contracts/credential.js'
import { derived, field, secretPatternsOf } from './shared.js'

/** RFC 7617: the user name cannot contain a colon; both values are UTF-8. */
export const basic: CredentialKind = {
  name: 'basic',
  summary: 'sets `Authorization: Basic <user name and password>`',
  fields: {
    username: { secret: false, describe: 'the user name; plain text or a secret' },
    password: { secret: true, describe: 'the password or API token' },
  },
  shorthand: null,
  check: ({ username }) => (username?.includes(':') ? 'A user name cannot contain a colon' : null),
  bind(id, values) {
    const username = field(values, 'username')
    const password = field(values, 'password')
    const pair = derived([username, password], () =>
      Buffer.from(`${username.reveal()}:${password.reveal()}`, 'utf8').toString('base64'),
    )
    return {
      kind: 'basic',
      id,
      locations: { headers: ['authorization'] },
      inject({ headers }) {
        headers['authorization'] = `Basic ${pair()}`
        return null
      },
      secretPatterns: derived([username, password], () =>
        secretPatternsOf(...password.revealSensitive(), pair()),
      ),
    }
  },
}
