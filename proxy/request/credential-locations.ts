import type { Headers, CredentialLocations } from '#firewall/contracts/credential.js'

/**
 * Takes what the sandbox sent out of a credential's own places. Changes `headers`; returns the query without the
 * parameters that are the credential's, everything else in it byte for byte as it was.
 */
export function stripClientCredential(
  locations: CredentialLocations,
  headers: Headers,
  query: string,
): string {
  for (const name of locations.headers ?? []) delete headers[name]
  if (locations.cookies !== undefined) dropCookies(headers, locations.cookies)
  return locations.query === undefined ? query : dropParameters(query, locations.query)
}

/** The fields of a request that a credential is in, once it was put in. */
export function secretFields({ headers = [], query, path }: CredentialLocations): readonly string[] {
  return query !== undefined || path === true ? [...headers, ':path'] : headers
}

/** RFC 6265 section 5.4: a list of `name=value` with `; ` between. */
function dropCookies(headers: Headers, names: readonly string[]): void {
  const sent = headers['cookie']
  if (sent === undefined) return
  const kept = [sent]
    .flat()
    .flatMap((line) => line.split(';'))
    .map((pair) => pair.trim())
    .filter((pair) => pair !== '' && !names.includes(pair.split('=')[0]?.trim() ?? ''))
  if (kept.length === 0) delete headers['cookie']
  else headers['cookie'] = kept.join('; ')
}

function dropParameters(query: string, names: readonly string[]): string {
  if (query === '') return query
  const kept = query
    .slice(1)
    .split('&')
    .filter((pair) => !names.includes(parameterName(pair)))
  return kept.length === 0 ? '' : `?${kept.join('&')}`
}

/** The name as a server reads it. A broken escape is no name of ours. */
function parameterName(pair: string): string {
  const raw = (pair.split('=')[0] ?? '').replaceAll('+', ' ')
  try {
    return decodeURIComponent(raw)
  } catch {
    return raw
  }
}
