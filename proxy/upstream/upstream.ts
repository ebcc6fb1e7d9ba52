import type { Readable } from 'node:stream'
import type { ClientCertificate, Headers } from '#firewall/contracts/credential.js'
import type { HttpLimits } from '#firewall/contracts/policy.js'
import type { UpstreamProxy } from '#firewall/contracts/upstream-proxy.js'
import type { Origin } from '#firewall/contracts/origin.js'
import type { MemoryReservation } from '#firewall/ledger/memory-budget.js'
import type { Authorities } from './authorities.js'

/**
 * Whose connections carry a request. Threat: an upstream that can be led to see two requests where one was sent answers the
 * hidden one later, on the same connection, to whoever uses it next. So nobody uses it but the one who made it.
 */
export interface ConnectionOwner {
  /** Id of the sandbox; null for the gateway's own requests. */
  readonly sandbox: string | null
  /** The destination in the policy, with which the credential is fixed: `services.jira`, `allow[2]`. */
  readonly destination: string
}

/** The way through a proxy of the operator's network. */
export interface ResolvedProxy {
  readonly proxy: UpstreamProxy
  /** Of the proxy, which may be anywhere: the operator has named it. */
  readonly addresses: readonly string[]
  /** What it is asked to dial: the checked name, which it resolves itself, or the address that the policy gives the name. */
  readonly target: string
}

/** An upstream whose addresses were all checked. Nothing is resolved again after this. */
export interface ResolvedUpstream {
  readonly owner: ConnectionOwner
  readonly origin: Origin
  /** In order of preference. Empty only for an upstream behind a proxy. */
  readonly addresses: readonly string[]
  /** Differs from the origin's where the policy sends the name elsewhere. */
  readonly port: number
  /** The proxy through which it is reached; null to dial it. */
  readonly via: ResolvedProxy | null
  /** PEM of the only authorities to trust; null for the public ones and those of the host. */
  readonly ca: string | null
  /** Has what `ca` stands for. */
  readonly authorities: Authorities
  /** What the upstream is shown; null for nothing. */
  readonly clientCertificate: ClientCertificate | null
  /** Without TLS: the client asks in HTTP/2, so it knows that the server speaks it (RFC 9113 section 3.3). */
  readonly knowsHttp2: boolean
}

/** A request as it leaves, credential and all. */
export interface UpstreamRequest {
  readonly method: string
  /** With its query. */
  readonly path: string
  readonly headers: Headers | Readonly<Record<string, string>>
  /** A stream that fails ends the request. */
  readonly body: Readable | Buffer | string | null
  /** Asked before much of a response's head is held; null for no limit but the head's own. */
  readonly memory?: Pick<MemoryReservation, 'tryReserve'> | null
  /** What came behind the body, once all of it was read. Only HTTP/2 carries it on. */
  readonly trailers?: (() => Headers | null) | null
  /** Somebody allowed it once: it is not sent again where a server may have carried it out, though a second time made no difference. */
  readonly isOnce?: boolean
  /** Names of headers that hold a secret; `:path` for one in the URL. */
  readonly secretFields?: readonly string[]
}

/** A request on its way: the handler's hold on it. */
export interface UpstreamCall {
  /** No more data until `resume`. What has arrived by then may still be told. */
  pause(): void
  resume(): void
  /** Ends it; the handler is told of the error unless it was told of the end. */
  abort(error: Error): void
}

/** Response headers by lower-case name, as the upstream sent them. */
export type RawHeaders = Record<string, string | string[] | undefined>

/** Told what becomes of a request, in this order; after `onEnd` or `onError` nothing more. */
export interface UpstreamHandler {
  /** When a piece of the response is read; at once where nobody says, as for the gateway's own requests. */
  inTurn?(work: () => void): void
  /** A connection is there and the request is about to be written. Called once, unless `onError` comes first. */
  onStart(call: UpstreamCall): void
  /** A connection had died before anything of the request was answered, and it is sent again on a new one. */
  onRepeat?(): void
  /** The head of the final response: never an interim one (1xx). */
  onHead(call: UpstreamCall, status: number, headers: RawHeaders): void
  /** The chunk is the handler's to keep. Never empty. */
  onData(call: UpstreamCall, chunk: Buffer): void
  /** The response is whole. @param trailers the fields behind its body, as the upstream sent them; null for none */
  onEnd(trailers: RawHeaders | null): void
  /** It is not, and nothing more comes; `reasonOf` says what the error means. */
  onError(error: Error): void
}

/**
 * The way to upstreams, with its connections kept alive, each for one owner. `pools/pools.ts` is the one implementation. It dials pinned addresses
 * alone, verifies certificates for the pinned name, follows no redirect, and repeats only what no server can have carried out twice.
 */
export interface Upstreams {
  /** Loads what the first request would wait for. */
  load(): void
  /** Sends a request. Never throws: what fails is told to the handler. */
  open(upstream: ResolvedUpstream, request: UpstreamRequest, handler: UpstreamHandler): void
  /** Closes the connections of a sandbox that has ended, once its requests are done. */
  drop(sandbox: string): void
  /** The same for every sandbox that is not active. */
  prune(isActive: (sandbox: string) => boolean): void
  /** Whether connections made for these limits would be the same. */
  hasLimits(limits: HttpLimits): boolean
  /** A policy with other limits is in force: later requests go through the successor, and those under way end as they began. */
  handOver(successor: Upstreams): void
  /** Ends the requests under way, and each that comes later, with an error whose reason is `shutting-down`. */
  close(): Promise<void>
}
