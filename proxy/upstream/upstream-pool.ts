import type { UpstreamHandler, UpstreamRequest } from './upstream.js'

/** The connections of one owner to one upstream, in some version of HTTP. */
export interface UpstreamPool {
  /** Sends a request on a connection of its own, or on one that it shares. Never throws: what fails is told to the handler. */
  send(request: UpstreamRequest, handler: UpstreamHandler): void
  /** Takes no more requests, and closes each connection when those it has are done. */
  drain(): void
  /** Ends everything. Whoever awaits a response is told. */
  close(): void
}
