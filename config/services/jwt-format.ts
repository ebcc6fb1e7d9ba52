import type { PlaceholderFormat } from '#firewall/contracts/service.js'

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

const COMPACT = /^(eyJ[A-Za-z0-9_-]+)\.(eyJ[A-Za-z0-9_-]+|e30)\.[A-Za-z0-9_-]*$/

/**
 * Claims that clients read before they ask, and that say what kind of token it is, not whose: the issuer and the audience find the
 * service, roles and scopes what to offer.
 */
const KEPT =
  /^(iss|aud|azp|typ|type|ver|version|token_use|idtyp|roles?|scopes?|scp|permissions|amr|acr|alg|(.*_)?plan_type)$/

/** Seconds since 1970 (RFC 7519): a placeholder does not expire, because the gateway replaces the real token when it does. */
const TIMES: Readonly<Record<string, number>> = {
  iat: 1_577_836_800,
  nbf: 1_577_836_800,
  auth_time: 1_577_836_800,
  exp: 4_102_444_800,
}

const MAX_KEPT = 200

/**
 * The format of a JSON Web Token (RFC 7519): the claims of the real one, with neutral values for those that belong to a person or
 * an account. Null for anything else.
 */
export function jwtFormat(value: string): PlaceholderFormat | null {
  const [, header, claims] = COMPACT.exec(value) ?? []
  const read = { header: decode(header), claims: decode(claims) }
  if (read.header === null || read.claims === null || typeof read.header['alg'] !== 'string') return null
  return {
    prefix: '',
    length: 0,
    alphabet: 'alphanumeric',
    structure: {
      kind: 'jwt',
      header: { alg: read.header['alg'], typ: 'JWT' },
      claims: neutralObject(read.claims),
    },
  }
}

function decode(part: string | undefined): Readonly<Record<string, Json>> | null {
  try {
    const read = JSON.parse(Buffer.from(part ?? '', 'base64url').toString('utf8')) as Json
    return isObject(read) ? read : null
  } catch {
    return null
  }
}

const isObject = (value: Json): value is { readonly [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function neutralObject(object: Readonly<Record<string, Json>>): Record<string, Json> {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, claim(name, value)]))
}

function claim(name: string, value: Json): Json {
  if (typeof value === 'number') return TIMES[name] ?? 1
  return KEPT.test(name) && JSON.stringify(value).length <= MAX_KEPT ? value : neutral(value)
}

/** A value of the same type and form. */
function neutral(value: Json): Json {
  if (typeof value === 'string') return neutralText(value)
  if (typeof value === 'number') return 1
  if (typeof value !== 'object' || value === null) return value
  return isObject(value) ? neutralObject(value) : value.slice(0, 1).map(neutral)
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

function neutralText(text: string): string {
  if (text.includes('@')) return 'agent@example.com'
  if (UUID.test(text)) return '00000000-0000-4000-8000-000000000000'
  return /^https?:/.test(text) ? 'https://example.com/' : 'placeholder'
}

/** Whether a secret is a UUID, whose form some clients check. */
export const isUuid = (value: string): boolean => UUID.test(value)
