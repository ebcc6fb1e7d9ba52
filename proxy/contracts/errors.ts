/** The code of an error, for the log; never its message, which may hold what was sent. */
export function codeOf(error: unknown): string {
  const { code } = (error ?? {}) as { code?: unknown }
  return typeof code === 'string' ? code : 'unknown'
}

/** What a credential's transform throws when it meets a body that it cannot work on. The text is for the agent. */
export class UnsupportedBody extends Error {
  readonly code = 'EGRESS_BODY_UNSUPPORTED'
}

/** The body went over the limit. */
export class BodyTooLarge extends Error {
  readonly code = 'EGRESS_BODY_TOO_LARGE'

  constructor() {
    super('the request body is larger than the policy allows')
  }
}

/** A token request failed. The message is safe to log: it is made of names and codes alone. */
export class TokenRequestError extends Error {
  readonly code = 'EGRESS_TOKEN_REQUEST'
}
