import { placeholderFormat } from '#config/services/placeholder-format.js'
import { makePlaceholder } from '../../common/make-placeholder.js'
import { hasToken, isReference, withoutUserInfo } from './secret-text.js'

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

/** Keys whose strings are secrets. Those of kinds and times of tokens are not. */
const SECRET = /token|secret|passw|api_?-?key|private|credential|authorization|cookie|^key$|code$/i
const ABOUT = /(type|types|expir.*|uri|url|urls|endpoint|name|refresh|scopes?|_at)$/i

/** In which an agent's settings keep parts of keys that somebody has approved or rejected. */
const PARTS_OF_KEYS = /apikeyresponses/i

/** Milliseconds since 1970: tokens that do not expire are not renewed, which only the owner of the real ones can do. */
const FAR = 4_102_444_800_000

/**
 * A credential file with placeholders for its secrets, of the same format, so that its client starts and sends them. Null if it is
 * not an object in JSON.
 *
 * @param now for the time at which a client believes to have renewed its tokens
 */
export function filterJson(text: string, now: Date): string | null {
  try {
    const read = JSON.parse(text) as Json
    if (typeof read !== 'object' || read === null || Array.isArray(read)) return null
    return `${JSON.stringify(value('', read, now), null, 2)}\n`
  } catch {
    return null
  }
}

function value(key: string, found: Json, now: Date): Json {
  if (typeof found === 'string') return text(key, found, now)
  if (typeof found === 'number') return /expir/i.test(key) ? expiry(found) : found
  if (typeof found !== 'object' || found === null) return found
  if (Array.isArray(found)) return (found as Json[]).map((element) => value(key, element, now))
  if (PARTS_OF_KEYS.test(key)) return {}
  return Object.fromEntries(Object.entries(found).map(([name, inner]) => [name, value(name, inner, now)]))
}

/** In seconds or in milliseconds, as it was. */
const expiry = (found: number): number => (found > FAR / 100 ? FAR : FAR / 1000)

function text(key: string, found: string, now: Date): string {
  if (/^(last|renewed)_?refresh|refreshed_?at/i.test(key)) return now.toISOString()
  if (/expir/i.test(key) && !Number.isNaN(Date.parse(found))) return new Date(FAR).toISOString()
  if (found === '' || isReference(found)) return found
  if ((SECRET.test(key) && !ABOUT.test(key)) || hasToken(found)) return placeholderFor(found)
  return withoutUserInfo(found)
}

/** Prefixes of tokens that only logins have: never anything else of a secret, which may be of words. */
const PREFIXES = ['sk-ant-ort01-', 'ya29.', '1//', 'rt_']

function placeholderFor(secret: string): string {
  const prefix = PREFIXES.find((one) => secret.startsWith(one)) ?? ''
  const format = placeholderFormat(secret, {
    prefix,
    length: prefix.length + 48,
    alphabet: 'alphanumeric',
  })
  return makePlaceholder(prefix === '' ? format : { ...format, prefix })
}
