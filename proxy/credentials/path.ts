import type { CredentialKind } from '#firewall/contracts/credential.js'
import { parseRequestTarget } from '#firewall/rules/request-path.js'
import { derived, field, secretPatternsOf } from './shared.js'

/**
 * A secret in the path: incoming webhooks, whose URL is the credential. Replaces the sandbox's placeholder if it is one or
 * more whole segments. A request without it is denied, because it would reach something other than the webhook.
 */
export const path: CredentialKind = {
  name: 'path',
  summary: 'replaces its placeholder in the path, for incoming webhooks',
  fields: {
    value: { secret: true, describe: 'the secret part of the path, such as `T000/B000/XXXX`' },
  },
  shorthand: 'value',
  check: ({ value = '' }) => (pathOf(value) === null ? 'The value is not allowed in a path' : null),
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
          return {
            reason: 'credential-unavailable',
            detail: `The value of ${value.name} is not allowed in a path`,
          }
        if (placeholder === undefined || !segments.includes(placeholder)) {
          return {
            reason: 'credential-unsupported',
            detail: `The path does not contain the placeholder of ${value.name}`,
          }
        }
        request.path = segments.map((segment) => (segment === placeholder ? secret : segment)).join('/')
        return null
      },
      // In most webhooks, only the last segment is secret.
      secretPatterns: derived([value], () =>
        secretPatternsOf(...value.revealSensitive().flatMap((text) => [text, lastSegment(text)])),
      ),
    }
  },
}

/** Threat: `..`, `?` or `#` in a value would redirect the request after it was checked. */
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
