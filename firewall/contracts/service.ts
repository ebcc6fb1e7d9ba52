import type { Credential, CredentialLocations } from './credential.js'
import type { Quota, RateLimit } from './limits.js'
import type { Origin } from './origin.js'

/** One target of a service, as the base-URL listener addresses it. */
export interface ServiceTarget {
  readonly origin: Origin
  /** Path of the service's URL without its last slash: `` or `/jira`. */
  readonly basePath: string
}

export interface Service {
  readonly name: string
  readonly targets: readonly ServiceTarget[]
  readonly credential: Credential | null
  /** The credential's own locations, and the others in which clients send it. All are cleared. */
  readonly locations: CredentialLocations
  /** Whether every request gets the credential, or only one that has its placeholder in one of its locations. */
  readonly injectWhen: 'always' | 'on_placeholder'
  /** Whether response headers that hand out a session or a token reach the sandbox. */
  readonly sessionHeaders: 'drop' | 'pass'
  readonly rate: RateLimit | null
  readonly quota: Quota | null
  /** Environment of the sandbox by name. `{url}`, `{base_url}` and `{placeholder:NAME}` in a value are expanded per sandbox. */
  readonly environment: Readonly<Record<string, string>>
  /** Formats of the placeholders for the service's secrets, by the secret's name. */
  readonly placeholders: Readonly<Record<string, PlaceholderFormat>>
}

/** Format of a placeholder, so that clients that check the format of a token accept it. */
export interface PlaceholderFormat {
  /** Such as `ghp_`: never anything that an issuer chose for this one secret. */
  readonly prefix: string
  /** Characters of the whole value. */
  readonly length: number
  readonly alphabet: 'alphanumeric' | 'upper-alphanumeric' | 'hex'
  /** Set for a format of fixed parts, instead of the three above. */
  readonly structure?: PlaceholderStructure
}

/** A UUID, or a JSON Web Token with these parts and a signature that nobody made. */
export type PlaceholderStructure =
  { readonly kind: 'uuid' } | { readonly kind: 'jwt'; readonly header: object; readonly claims: object }
