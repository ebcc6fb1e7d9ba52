import type { CredentialKind } from '#firewall/contracts/credential.js'
import { derived, field, secretPatternsOf } from './shared.js'

/** RFC 6750 section 2.1. */
export const bearer: CredentialKind = {
  name: 'bearer',
  summary: 'sets `Authorization: Bearer <token>`',
  fields: {
    token: { secret: true, inHeader: true, describe: 'the token' },
  },
  shorthand: 'token',
  check: () => null,
  bind(id, values) {
    const token = field(values, 'token')
    return {
      kind: 'bearer',
      id,
      locations: { headers: ['authorization'] },
      inject({ headers }) {
        headers['authorization'] = `Bearer ${token.reveal()}`
        return null
      },
      secretPatterns: derived([token], () => secretPatternsOf(...token.revealSensitive())),
    }
  },
}
