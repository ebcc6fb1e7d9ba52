import type { Secret } from '../secrets/secret.js'

/** How requests are treated that an `ask` rule matches. */
export interface ApprovalSettings {
  /** Milliseconds that such a request is held, in case that a person decides at once. */
  readonly holdMs: number
  /** Milliseconds that a request waits for a decision, and that a single approval waits for the request. */
  readonly expireMs: number
  /** Bytes of a body: all of it can be shown to the person who decides. */
  readonly maxBodyBytes: number
  /** Who is told of a new approval; null for nobody. */
  readonly webhook: ApprovalWebhook | null
}

export interface ApprovalWebhook {
  readonly url: string
  /** The key of its signatures. */
  readonly secret: Secret
}
