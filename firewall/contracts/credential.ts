import type { SecretPatterns } from '../secrets/secret-patterns.js'
import type { Origin } from './origin.js'
import type { Secret } from '../secrets/secret.js'

/** Request headers by lower-case name. */
export type Headers = Record<string, string | string[]>

/**
 * The locations of a credential in a request. Any value that the sandbox sends there is removed before the credential is injected,
 * and the sandbox's placeholder is allowed there and nowhere else.
 */
export interface CredentialLocations {
  /** Lower-case header names. */
  readonly headers?: readonly string[]
  /** Names of query parameters, decoded. */
  readonly query?: readonly string[]
  /** Names of cookies. */
  readonly cookies?: readonly string[]
  /** True if the path contains a placeholder, which is replaced. */
  readonly path?: boolean
}

/** Changes a body while it streams. */
export type BodyTransform = (chunks: AsyncIterable<Buffer>) => AsyncIterable<Buffer>

/** The body of a request, not yet read. A kind calls at most one of these methods, once. */
export interface OutgoingBody {
  /**
   * Reads the whole body and sends it unchanged.
   *
   * @returns null if it is longer than `limit` bytes
   */
  read(limit: number): Promise<Buffer | null>
  /** Sends these bytes instead, and sets the headers for their length. */
  replace(bytes: Buffer): void
  /** Transforms the body while it streams. `length` is in bytes; null if it is unknown before the end. */
  transform(through: BodyTransform, length: number | null): void
}

/** A request just before it is sent: checked, recorded, its locations cleared. Values that a kind sets here are sent. */
export interface OutgoingRequest {
  readonly method: string
  readonly origin: Origin
  /** The canonical path that was checked. */
  path: string
  /** With its `?`, or empty. */
  query: string
  readonly headers: Headers
  readonly body: OutgoingBody | null
  /** What the sandbox sent in the locations before they were cleared: for kinds that sign what the client signed. */
  readonly sent: { readonly headers: Headers; readonly query: string }
  /** This sandbox's placeholders, by the names of their secrets. */
  readonly placeholders: ReadonlyMap<string, string>
}

/** A request of the gateway itself, to get an access token. */
export interface TokenRequest {
  readonly method: 'GET' | 'POST' | 'PUT'
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
}

export interface TokenResponse {
  readonly status: number
  readonly headers: Headers
  readonly body: Buffer
}

/** The only clock and network access of a kind. */
export interface CredentialTools {
  /** Milliseconds since 1970. */
  readonly now: () => number
  /**
   * Sends a token request to one of the credential's `endpoints`, with the service's `ca` and `allow_private_addresses`. The
   * address is resolved once and checked like any other; redirects are not followed; the response is limited in size and time.
   *
   * @throws TokenRequestError
   */
  readonly send: (request: TokenRequest) => Promise<TokenResponse>
}

/** Why a credential could not be injected. The texts are for the agent and the log, and contain no secret. */
export interface InjectionFailure {
  readonly reason: 'credential-unavailable' | 'credential-unsupported' | 'too-large' | 'busy'
  readonly detail: string | null
}

/** Null if the credential was injected, otherwise why it could not be. */
export type Injected = InjectionFailure | null

/** The client certificate for mutual TLS (RFC 8446 section 4.4.2). */
export interface ClientCertificate {
  /** PEM, the leaf first. */
  readonly certificate: string
  /** PEM. */
  readonly key: Secret
}

/** The credential of one service, with its values. It is the last to change a request before the request is sent. */
export interface Credential {
  /** The kind's name, for example `bearer`. */
  readonly kind: string
  /** Its id in the audit log: `<service>/<kind>`. Never a value. */
  readonly id: string
  readonly locations: CredentialLocations
  /**
   * Injects the real value. Called after all checks, on the request that is about to be sent upstream. Whatever an upstream or a
   * sandbox did is returned as an InjectionFailure; it never rejects for that.
   */
  inject(request: OutgoingRequest, tools: CredentialTools): Injected | Promise<Injected>
  /**
   * Every byte sequence to redact from responses to requests that this credential was injected into before this call. The same
   * object until a secret changes.
   */
  secretPatterns(): SecretPatterns
  /** Called with the status of every response to a request that it was injected into (401: the token is no longer valid). */
  onResponse?(request: OutgoingRequest, status: number, now: number): void
  /** The only origins to which the gateway sends token requests for this credential. */
  readonly endpoints?: readonly Origin[]
  /** For mutual TLS. */
  readonly clientCertificate?: ClientCertificate
  /** True if a token request may use up a secret, so that nobody but the running gateway must send one. */
  readonly usesUpSecrets?: boolean
}

/** One value of a credential in the policy. */
export interface CredentialField {
  /** True if the value must come from a secret source; false if literal text is allowed (a user name). */
  readonly secret: boolean
  /** One line for the reference. */
  readonly describe: string
  /** True if it may be left out. */
  readonly optional?: boolean
  /** True if it may contain line breaks (a PEM key). Such a value is never put into a header unchanged. */
  readonly multiline?: boolean
  /** True if it is put into a header unchanged, which can contain printable ASCII alone (RFC 9110 section 5.5). */
  readonly inHeader?: boolean
}

/**
 * A kind of credential. To add one: a file in `proxy/credentials/` that exports an object of this type, and its name in
 * `proxy/credentials/index.ts`. The policy loader builds its schema from `fields`, so nothing else changes.
 */
export interface CredentialKind {
  readonly name: string
  /** Its effect on a request, in one line. */
  readonly summary: string
  readonly fields: Readonly<Record<string, CredentialField>>
  /** The field that a string without keys sets: `bearer: ${TOKEN}` is `bearer: { token: ${TOKEN} }`. */
  readonly shorthand: string | null
  /** An error message if the values are invalid together (an unusable header name), else null. */
  check(values: Readonly<Record<string, string>>): string | null
  /**
   * `values` has every field that is not optional. A secret may change later: values derived from one must then be derived again
   * (`derived` in `proxy/credentials/shared.ts`).
   */
  bind(id: string, values: Readonly<Record<string, Secret>>): Credential
}
