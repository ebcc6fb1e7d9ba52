import type { CredentialKind, Headers } from '#firewall/contracts/credential.js'
import { setJsonField } from './json-field.js'
import { derived, field, secretPatternsOf, readBody, unsupported } from './shared.js'

/** Maximum size of a body with a credential field, in bytes. It is buffered whole; such requests are small. */
export const MAX_FIELD_BODY = 1024 * 1024

/**
 * A field of the body, for services that expect their token there: JSON of any depth (`auth.token`), and forms. The rest of
 * the body does not change.
 */
export const body: CredentialKind = {
  name: 'body',
  summary: 'sets a field of a JSON or form body',
  fields: {
    field: {
      secret: false,
      describe: 'the name of the field, with dots for nested JSON fields: `auth.token`',
    },
    value: { secret: true, describe: 'the value' },
  },
  shorthand: null,
  check: ({ field: name = '' }) =>
    /^[^.\s]+(\.[^.\s]+)*$/.test(name) ? null : `Invalid field name \`${name}\``,
  bind(id, values) {
    const name = field(values, 'field').reveal()
    const value = field(values, 'value')
    return {
      kind: 'body',
      id,
      locations: {},
      async inject({ headers, body: content }) {
        const form = formOf(headers)
        if (content === null || form === null)
          return unsupported('The request needs a JSON or form body without a content encoding')
        const bytes = await readBody(content, MAX_FIELD_BODY)
        if ('reason' in bytes) return bytes
        const text = bytes.toString('utf8')
        if (!Buffer.from(text, 'utf8').equals(bytes)) return unsupported('The body is not UTF-8')
        const changed =
          form === 'json'
            ? setJsonField(text, name.split('.'), value.reveal())
            : setFormField(text, name, value.reveal())
        if (changed === null) return unsupported(`Cannot set the field ${name} in this body`)
        content.replace(Buffer.from(changed, 'utf8'))
        return null
      },
      secretPatterns: derived([value], () => secretPatternsOf(...value.revealSensitive())),
    }
  },
}

/** The type of a body in which a field can be set; null for any other body. */
function formOf(headers: Headers): 'json' | 'form' | null {
  const type = headers['content-type']
  if ((headers['content-encoding'] ?? 'identity') !== 'identity' || typeof type !== 'string') return null
  const [, name = '', charset = 'utf-8'] =
    /^\s*([^\s;]+)\s*(?:;\s*charset\s*=\s*"?([\w-]+)"?\s*)?$/i.exec(type) ?? []
  if (!/^utf-?8$/i.test(charset)) return null
  if (/^application\/([\w.-]+\+)?json$/i.test(name)) return 'json'
  return /^application\/x-www-form-urlencoded$/i.test(name) ? 'form' : null
}

/** Replaces any value that the sandbox sent in the field. Null if a field name is malformed. */
function setFormField(text: string, name: string, value: string): string | null {
  const pairs = text.split('&').filter((pair) => pair !== '')
  const own = `${encodeURIComponent(name)}=${encodeURIComponent(value)}`
  try {
    const others = pairs.filter(
      (pair) => decodeURIComponent((pair.split('=', 1)[0] ?? '').replaceAll('+', ' ')) !== name,
    )
    return [...others, own].join('&')
  } catch {
    return null
  }
}
