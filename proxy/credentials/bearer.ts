import type { CredentialKind } from '#firewall/credential.js'
import { field, needlesOf } from './shared.js'

/** RFC 6750 section 2.1. */
export const bearer: CredentialKind = {
  name: 'bearer',
  summary: 'sets `Authorization: Bearer <token>`',
  fields: { token: { secret: true, describe: 'the token' } },
  shorthand: 'token',
  check: () => null,
  bind(id, values) {
    const token = field(values, 'token')
    const needles = needlesOf(...token.revealSensitive())
    return {
      kind: 'bearer',
      id,
      slots: ['authorization'],
      inject(headers) {
        headers['authorization'] = `Bearer ${token.reveal()}`
      },
      needles: () => needles,
    }
  },
}
