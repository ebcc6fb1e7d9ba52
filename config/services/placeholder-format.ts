import type { PlaceholderFormat } from '#firewall/contracts/service.js'
import { isUuid, jwtFormat } from './jwt-format.js'
import { TOKEN_FORMATS } from '../issues/token-formats.js'

/** For a secret of unknown format. Always this long: the secret's own length would make guessing easier. */
const UNKNOWN: PlaceholderFormat = { prefix: '', length: 32, alphabet: 'alphanumeric' }

const UUID_FORMAT: PlaceholderFormat = {
  prefix: '',
  length: 36,
  alphabet: 'hex',
  structure: { kind: 'uuid' },
}

/**
 * Format of the placeholder for a secret: a row of a table, or the structure that clients parse. Only the issuer's prefix of the
 * value decides, or the kind of token, so nothing that was chosen for this one secret can show.
 *
 * @param otherwise the format of a value without a known prefix
 */
export function placeholderFormat(value: string, otherwise: PlaceholderFormat = UNKNOWN): PlaceholderFormat {
  const structured = jwtFormat(value) ?? (isUuid(value) ? UUID_FORMAT : null)
  if (structured !== null) return structured
  // A short value with the same beginning, such as the password `sk-8chars`, is not such a token.
  return (
    TOKEN_FORMATS.find(({ prefix }) => value.startsWith(prefix) && value.length >= prefix.length + 16) ??
    otherwise
  )
}
