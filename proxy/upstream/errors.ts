/** What an upstream sent is not HTTP/1.1, or can be read in two ways. */
export class UpstreamProtocolError extends Error {
  readonly code = 'EGRESS_UPSTREAM_PROTOCOL'
  /** The message from its beginning, as far as it came, and where in it the problem begins. May hold a secret. Empty for a body. */
  readonly bytes: Buffer
  readonly at: number

  /** @param problem a fixed text: nothing of what was sent */
  constructor(problem: string, bytes: Buffer, at: number) {
    super(problem)
    this.bytes = bytes
    this.at = at
  }
}

/** The upstream closed or reset the connection before the response was whole. */
export class UpstreamClosed extends Error {
  readonly code = 'EGRESS_UPSTREAM_CLOSED'
  /** Whether anything of a response had come. */
  readonly hasBegun: boolean

  constructor(hasBegun: boolean) {
    super(
      hasBegun
        ? 'the upstream closed the connection in the middle of its response'
        : 'the upstream closed the connection without a response',
    )
    this.hasBegun = hasBegun
  }
}

/** Neither side of a message went on for as long as the policy gives it. */
export class UpstreamSilent extends Error {
  readonly code = 'EGRESS_IDLE_TIMEOUT'
}

/** The gateway ends, and its connections with it. */
export class UpstreamsClosed extends Error {
  readonly code = 'EGRESS_UPSTREAMS_CLOSED'
}
