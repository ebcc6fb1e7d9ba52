import type { CredentialKind } from '#firewall/contracts/credential.js'
import { parseRequestTarget } from '#firewall/rules/request-path.js'
import { derived, field, secretPatternsOf } from './shared.js'

/**
 * A secret in the path: incoming webhooks, whose address is the credential. The sandbox's placeholder is replaced where it
 * stands as whole segments. A request without it is refused, for it would reach something that is not the webhook.
 */
export const path: CredentialKind = {
  name: 'path',
  summary: 'replaces its placeholder in the path, as incoming webhooks need it',
  fields: {
    value: { secret: true, describe: 'the secret part of the path, such as `T000/B000/XXXX`' },
  },
  shorthand: 'value',
  check: ({ value = '' }) => (pathOf(value) === null ? 'the value cannot stand in a path' : null),
  bind(id, values) {
    const value = field(values, 'value')
    return {
      kind: 'path',
      id,
      locations: { path: true },
      inject(request) {
        const secret = pathOf(value.reveal())
        const placeholder = request.placeholders.get(value.name)
        const segments = request.path.split('/')
        if (secret === null)
          return { reason: 'credential-unavailable', detail: `${value.name} cannot stand in a path` }
        if (placeholder === undefined || !segments.includes(placeholder)) {
          return {
            reason: 'credential-unsupported',
            detail: `the path does not hold the placeholder of ${value.name}`,
          }
        }
        request.path = segments.map((segment) => (segment === placeholder ? secret : segment)).join('/')
        return null
      },
      // Its last segment alone is the secret of most webhooks.
      secretPatterns: derived([value], () =>
        secretPatternsOf(...value.revealSensitive().flatMap((text) => [text, lastSegment(text)])),
      ),
    }
  },
}

/** Threat: `..`, `?` or `#` in a value would lead elsewhere than where the request was checked to go. */
function pathOf(value: string): string | null {
  const trimmed = value.replace(/^\/+|\/+$/g, '')
  const read = parseRequestTarget(`/${trimmed}`)
  return typeof read === 'string' || read.query !== '' || /[?#]/.test(trimmed) || trimmed === ''
    ? null
    : read.path.slice(1)
}

function lastSegment(value: string): string {
  const segment = value.slice(value.replace(/\/+$/, '').lastIndexOf('/') + 1)
  return segment.length >= 8 ? segment : value
}
