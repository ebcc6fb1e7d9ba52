import type { Secret } from '../secrets/secret.js'

/** A forward proxy of the operator's network, which is trusted to dial what it is asked for. */
export interface UpstreamProxy {
  readonly scheme: 'http' | 'https'
  /** A name or an address. */
  readonly host: string
  readonly port: number
  /** For Basic authentication (RFC 7617); null for none. */
  readonly credential: { readonly user: Secret; readonly password: Secret } | null
}

/** Which upstreams are reached through which proxy. */
export interface UpstreamProxies {
  /** For https upstreams and tunnels; null to dial them. */
  readonly https: UpstreamProxy | null
  /** For http upstreams; null to dial them. */
  readonly http: UpstreamProxy | null
  /** Upstreams that are dialled nevertheless, as in `NO_PROXY`. */
  readonly noProxy: readonly string[]
}
