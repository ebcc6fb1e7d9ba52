import type { InjectionFailure } from '#firewall/contracts/credential.js'
import type { Reason } from '#firewall/contracts/reasons.js'

/** No, with its reason. What the client is told is made from this by its downstream. */
export interface Denial {
  readonly reason: Reason
  readonly rule: string | null
  readonly detail: string | null
  /** Seconds, for `Retry-After`. */
  readonly retryAfter: number | null
}

export function deny(
  reason: Reason,
  { rule = null, detail = null, retryAfter = null }: Partial<Omit<Denial, 'reason'>> = {},
): Denial {
  return { reason, rule, detail, retryAfter }
}

/** Seconds: what is held is sent as soon as it is there. */
const BUSY_SECONDS = 1

export function denyFailure({ reason, detail }: InjectionFailure, rule: string | null): Denial {
  return deny(reason, { rule, detail, retryAfter: reason === 'busy' ? BUSY_SECONDS : null })
}
