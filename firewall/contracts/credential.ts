import type { SecretPatterns } from '../secrets/secret-patterns.js'
import type { Origin } from './policy.js'
import type { Secret } from '../secrets/secret.js'

/** Request headers by lower-case name. */
export type Headers = Record<string, string | string[]>

/**
 * The places of a request that are a credential's own: what the sandbox sent there is removed before the credential is
 * put in, and a placeholder of the sandbox's may stand there and nowhere else.
 */
export interface CredentialLocations {
  /** Lower-case header names. */
  readonly headers?: readonly string[]
  /** Names of query parameters, as they are after decoding. */
  readonly query?: readonly string[]
  /** Names of cookies. */
  readonly cookies?: readonly string[]
  /** True when the path holds a placeholder, which is replaced. */
  readonly path?: boolean
}

/** What is done to a body as it streams. */
export type BodyTransform = (chunks: AsyncIterable<Buffer>) => AsyncIterable<Buffer>

/** The body of a request, not yet read. A kind calls at most one of these, once. */
export interface OutgoingBody {
  /**
   * Reads all of it and sends it as it was read.
   *
   * @returns null when it is longer than `limit` bytes
   */
  read(limit: number): Promise<Buffer | null>
  /** Sends these bytes instead; sets the headers that give their length. */
  replace(bytes: Buffer): void
  /** Passes it through as it streams. `length` is in bytes, and null where it cannot be known before the end. */
  transform(through: BodyTransform, length: number | null): void
}

/** A request in the moment before it leaves: checked, recorded, its locations empty. What a kind writes here is sent. */
export interface OutgoingRequest {
  readonly method: string
  readonly origin: Origin
  /** Canonical, as it was checked. */
  path: string
  /** With its `?`, or empty. */
  query: string
  readonly headers: Headers
  readonly body: OutgoingBody | null
  /** What the sandbox sent in the locations, before they were emptied: for kinds that sign what the client had signed. */
  readonly sent: { readonly headers: Headers; readonly query: string }
  /** This sandbox's placeholders, by the names of their secrets. */
  readonly placeholders: ReadonlyMap<string, string>
}

/** A token request, such as one for a token. */
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

/** What a kind may use while it works. It has no other way to clock or network. */
export interface CredentialTools {
  /** Milliseconds since 1970. */
  readonly now: () => number
  /**
   * Sends a token request to one of the credential's `endpoints`, with the service's `ca` and `private`. The
   * address is checked and pinned like any other; redirects are not followed; the answer is bounded in size and time.
   *
   * @throws GateRequestError
   */
  readonly send: (request: TokenRequest) => Promise<TokenResponse>
}

/** Why a request cannot be given its credential. The texts are for the agent and the log, and hold no secret. */
export interface InjectionFailure {
  readonly reason: 'credential-unavailable' | 'credential-unsupported' | 'too-large' | 'busy'
  readonly detail: string | null
}

/** Nothing is wrong, or what is. */
export type Injected = InjectionFailure | null

/** What the gateway shows an upstream that wants to know its clients (RFC 8446 section 4.4.2). */
export interface ClientCertificate {
  /** PEM, the leaf first. */
  readonly certificate: string
  /** PEM. */
  readonly key: Secret
}

/** A credential bound to one service: it knows its locations, and is the last to touch a request before it leaves. */
export interface Credential {
  /** The kind's name, for example `bearer`. */
  readonly kind: string
  /** What the audit log calls it: `<service>/<kind>`. Never a value. */
  readonly id: string
  readonly locations: CredentialLocations
  /**
   * Puts the real value in. Called after every check, on the request that is about to be written upstream. Never
   * rejects for anything that an upstream or a sandbox did: that is a fault to return.
   */
  inject(request: OutgoingRequest, tools: CredentialTools): Injected | Promise<Injected>
  /**
   * Every byte sequence that must not come back on a response to a request that was injected before this call. The same
   * object until a secret changes.
   */
  secretPatterns(): SecretPatterns
  /** Told the status of every response to a request that it was injected into (401: a token is not good any more). */
  onResponse?(request: OutgoingRequest, status: number, now: number): void
  /** Where the gateway itself sends requests to for this credential. It can send them nowhere else. */
  readonly endpoints?: readonly Origin[]
  /** For mutual TLS. */
  readonly clientCertificate?: ClientCertificate
}

/** One value of a credential as the policy spells it. */
export interface CredentialField {
  /** True when the value must come from a secret source; false when plain text is fine (a user name). */
  readonly secret: boolean
  /** One line for the reference. */
  readonly describe: string
  /** Whether it may be left out. */
  readonly optional?: boolean
  /** Whether line breaks may stand in it (a PEM key). Such a value never goes into a header as it is. */
  readonly multiline?: boolean
}

/**
 * A kind of credential. To add one: a file under `proxy/credentials/` that exports such a table entry, and its name in
 * `proxy/credentials/index.ts`. The policy loader builds its schema from `fields`, so nothing else changes.
 */
export interface CredentialKind {
  readonly name: string
  /** What it does to a request, in one line. */
  readonly summary: string
  readonly fields: Readonly<Record<string, CredentialField>>
  /** The field that a bare string sets: `bearer: ${TOKEN}` is `bearer: { token: ${TOKEN} }`. */
  readonly shorthand: string | null
  /** Returns a message when the values do not fit together (an unusable header name), else null. */
  check(values: Readonly<Record<string, string>>): string | null
  /**
   * `values` has every field that is not optional. A secret may change later: what is made from one is made anew then
   * (`derived` in `proxy/credentials/shared.ts`).
   */
  bind(id: string, values: Readonly<Record<string, Secret>>): Credential
}
