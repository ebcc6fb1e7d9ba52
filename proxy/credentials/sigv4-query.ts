/** One parameter of a query, decoded. `null` is a name without `=`, such as `?acl`. */
export interface Parameter {
  readonly name: string
  readonly value: string | null
}

/** Reads a query as servers do that sort and encode it anew: `+` is a space. Null when an escape is broken. */
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

/** The query with every parameter in the one encoding that the signature knows, in the order given. */
export function writeQuery(parameters: readonly Parameter[]): string {
  const pairs = parameters.map(({ name, value }) =>
    value === null ? uriEncode(name) : `${uriEncode(name)}=${uriEncode(value)}`,
  )
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`
}

/**
 * A path in which everything is escaped that the signature escapes. What is escaped already stays, so every server,
 * whether it takes the path as it came or decodes and encodes it, signs the same.
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
