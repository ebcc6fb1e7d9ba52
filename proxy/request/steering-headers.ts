import type { CredentialLocations, Headers } from '#firewall/contracts/credential.js'
import { isOverrideHeader, overridingMethod } from '#firewall/rules/method-overrides.js'
import { isSteeringHeader } from '#firewall/rules/steering-headers.js'
import { isConnectionHeader } from '../message/headers.js'
import { trailersToPass } from '../message/trailers.js'

/** Fields that mean something to every server. Under another spelling they mean it to CGI and its heirs alone. */
const MEANINGFUL: ReadonlySet<string> = new Set([
  'accept-encoding',
  'content-encoding',
  'content-length',
  'content-md5',
  'content-range',
  'content-type',
  'if-match',
  'if-none-match',
  'if-range',
  'max-forwards',
  'proxy-authorization',
  'x-sandbox-target',
])

/** CGI, WSGI, PHP and Rack keep letters and digits of a name, and turn all else into `_`. */
const canonical = (name: string) => name.replace(/[^a-z0-9]/g, '-')

const NONE: readonly string[] = Object.freeze([])

/** The methods that headers name beside that of the request line, each once, in upper case. */
export function overridesIn(headers: Headers): readonly string[] {
  let methods: Set<string> | null = null
  for (const name in headers) {
    if (!isOverrideHeader(name)) continue
    for (const text of [headers[name] ?? ''].flat().flatMap((line) => line.split(','))) {
      const method = overridingMethod(name, text)
      if (method !== null) (methods ??= new Set()).add(method)
    }
  }
  return methods === null ? NONE : [...methods]
}

/**
 * Takes out what could steer the request elsewhere, and names that become the name of a meaningful header on their way into a
 * program (`Content_Length`, `X_HTTP_Method_Override`, `X_Api_Key` where `X-Api-Key` is the credential's). Changes `headers`.
 *
 * @param passed lower-case names of steering headers that the policy lets through
 */
export function dropSteeringHeaders(
  headers: Headers,
  locations: CredentialLocations,
  passed: readonly string[],
): void {
  const own = ownNames(locations)
  for (const name in headers) {
    const plain = canonical(name)
    if (name === plain ? isSteeringHeader(name) && !passed.includes(name) : isTwin(plain, headers, own))
      Reflect.deleteProperty(headers, name)
  }
}

/**
 * The trailers of a request that travel on. Nothing has judged them, so whatever could mean something to a server that merges
 * them into its headers stays here.
 */
export function requestTrailers(trailers: Headers | null, locations: CredentialLocations): Headers | null {
  const passed = trailersToPass(trailers)
  if (passed === null) return null
  for (const name of Object.keys(passed))
    if (isTwin(canonical(name), {}, ownNames(locations))) Reflect.deleteProperty(passed, name)
  return Object.keys(passed).length === 0 ? null : passed
}

function ownNames({ headers = [] }: CredentialLocations): readonly string[] {
  return headers.map(canonical)
}

function isTwin(plain: string, headers: Headers, own: readonly string[]): boolean {
  return (
    MEANINGFUL.has(plain) ||
    isConnectionHeader(plain) ||
    isSteeringHeader(plain) ||
    isOverrideHeader(plain) ||
    own.includes(plain) ||
    headers[plain] !== undefined
  )
}
