import type { PlaceholderFormat } from '#firewall/contracts/policy.js'
import { TOKEN_FORMATS } from './token-formats.js'

/** What stands in for a secret of no known shape. Always this long: the real length would narrow a guess. */
const UNKNOWN: PlaceholderFormat = { prefix: '', length: 32, alphabet: 'alphanumeric' }

/**
 * Shape of the worthless value that the sandbox sees instead of a secret. It is a row of a table: of the value itself
 * only the issuer's own prefix decides, so nothing that was chosen for this one secret can show.
 *
 * @param otherwise the shape where no prefix tells
 */
export function placeholderFormat(value: string, otherwise: PlaceholderFormat = UNKNOWN): PlaceholderFormat {
  // A short value that merely begins alike, such as the password `sk-8chars`, is no such token.
  return (
    TOKEN_FORMATS.find(({ prefix }) => value.startsWith(prefix) && value.length >= prefix.length + 16) ??
    otherwise
  )
}
