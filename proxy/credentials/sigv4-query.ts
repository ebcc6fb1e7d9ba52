/** One parameter of a query, decoded. `null` is a name without `=`, such as `?acl`. */
export interface Parameter {
  readonly name: string
  readonly value: string | null
}

/** Reads a query like servers that sort and re-encode it: `+` is a space. Null if an escape is malformed. */
export function parseQuery(query: string): readonly Parameter[] | null {
  const pairs = query
    .replace(/^\?/, '')
    .split('&')
    .filter((pair) => pair !== '')
  try {
    return pairs.map((pair) => {
      const equals = pair.indexOf('=')
      return equals < 0
        ? { name: decode(pair), value: null }
        : { name: decode(pair.slice(0, equals)), value: decode(pair.slice(equals + 1)) }
    })
  } catch {
    return null
  }
}

function decode(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '))
}

/** The query in the encoding that signatures require, with the parameters in their original order. */
export function writeQuery(parameters: readonly Parameter[]): string {
  const pairs = parameters.map(({ name, value }) =>
    value === null ? uriEncode(name) : `${uriEncode(name)}=${uriEncode(value)}`,
  )
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`
}

/**
 * The path with every character escaped that the signature escapes. Existing escapes stay, so every server signs the same
 * text, whether it uses the path as received or decodes and re-encodes it.
 */
export function escapePath(path: string): string {
  return path.replace(/[^A-Za-z0-9\-._~/%]/g, uriEncode)
}

/** `UriEncode` of Signature Version 4: all but RFC 3986's unreserved characters, in upper case. */
function uriEncode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}
