import type { CredentialKind } from '#firewall/contracts/credential.js'
import { derived, field, secretPatternsOf } from './shared.js'

/** A query parameter, such as `?key=<key>`, for services that support nothing else. */
export const query: CredentialKind = {
  name: 'query',
  summary: 'sets a query parameter',
  fields: {
    name: { secret: false, describe: 'the name of the parameter' },
    value: { secret: true, describe: 'the value' },
  },
  shorthand: null,
  check: ({ name = '' }) => (/^[A-Za-z0-9._~-]+$/.test(name) ? null : `Invalid parameter name \`${name}\``),
  bind(id, values) {
    const name = field(values, 'name').reveal()
    const value = field(values, 'value')
    return {
      kind: 'query',
      id,
      locations: { query: [name] },
      inject(request) {
        const pair = `${name}=${encodeURIComponent(value.reveal())}`
        request.query = request.query === '' ? `?${pair}` : `${request.query}&${pair}`
        return null
      },
      secretPatterns: derived([value], () => secretPatternsOf(...value.revealSensitive())),
    }
  },
}
