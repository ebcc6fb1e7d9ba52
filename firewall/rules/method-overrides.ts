import { METHODS } from 'node:http'

/**
 * The names by which frameworks take another method than that of the request line, without case and punctuation: `_method`
 * (Rails, Laravel, Symfony, Spring, Express, WordPress), `X-HTTP-Method-Override` (ASP.NET also reads it from query and form),
 * `method` (Graph API of Facebook).
 */
const OVERRIDE_NAMES: ReadonlySet<string> = new Set([
  'method',
  'methodoverride',
  'httpmethod',
  'httpmethodoverride',
  'xmethodoverride',
  'xhttpmethod',
  'xhttpmethodoverride',
])

/** Letters of the longest name. A name with more letters is no override, however it goes on. */
export const LONGEST_OVERRIDE_NAME = 19

/** True for the name of a header that some framework takes for the method. */
export function isOverrideHeader(name: string): boolean {
  return name.startsWith('x') && OVERRIDE_NAMES.has(lettersOf(name))
}

/**
 * True for a parameter or form field that some framework takes for the method. Threat: PHP turns `.method`, ` _method`,
 * `[method`, `_method[]` and `_method%00x` into `_method`; others fold case.
 *
 * @param name decoded
 */
export function isOverrideName(name: string): boolean {
  const shown = name.trimStart()
  const end = shown.search(/\0|(?<!^)\[/)
  return OVERRIDE_NAMES.has(lettersOf(end < 0 ? shown : shown.slice(0, end)))
}

function lettersOf(name: string): string {
  return name.toLowerCase().replace(/[^a-z]/g, '')
}

/**
 * The method that an override with this name and value asks for; null if no server takes the value for a method. `method` alone
 * is a parameter of many APIs, so it counts only if its value is a method.
 *
 * @param value decoded
 */
export function overridingMethod(name: string, value: string): string | null {
  const method = value.replace(/\0.*/s, '').trim().toUpperCase()
  if (!/^[A-Z][A-Z_-]*$/.test(method)) return null
  return /^method/i.test(name.trimStart()) && !METHODS.includes(method) ? null : method
}

/** The methods that a query asks for, in every spelling that some server accepts. */
export function methodsInQuery(query: string): readonly string[] {
  // Most queries.
  if (!/%|method/i.test(query)) return []
  return query
    .slice(1)
    .split(/[&;]/)
    .flatMap((pair) => {
      const [name, value] = splitPair(pair)
      const decoded = decodeForm(name)
      const method = isOverrideName(decoded) ? overridingMethod(decoded, decodeForm(value)) : null
      return method === null ? [] : [method]
    })
}

function splitPair(pair: string): readonly [name: string, value: string] {
  const at = pair.indexOf('=')
  return at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)]
}

/** Form encoding, one byte a character: names of overrides are ASCII, and a broken escape stays as it is. */
export function decodeForm(text: string): string {
  const spaced = text.replaceAll('+', ' ')
  if (!spaced.includes('%')) return spaced
  return spaced.replace(/%([0-9A-F]{2})/gi, (_escape, hex: string) => String.fromCharCode(parseInt(hex, 16)))
}
