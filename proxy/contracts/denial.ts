import type { InjectionFailure } from '#firewall/contracts/credential.js'
import { statusOf, type Reason } from '#firewall/contracts/reasons.js'

/** No, with its reason. What the client is told is made from this by its downstream. */
export interface Denial {
  readonly reason: Reason
  readonly rule: string | null
  readonly detail: string | null
  /** Seconds, for `Retry-After`. */
  readonly retryAfter: number | null
  /** Where the client finds what it asked for without the proxy; a redirect takes it there. */
  readonly location?: string
  /** Id of the approval that the request waits for, or that was denied. */
  readonly approval?: string
}

export function deny(
  reason: Reason,
  { rule = null, detail = null, retryAfter = null, location, approval }: Partial<Omit<Denial, 'reason'>> = {},
): Denial {
  const denial = { reason, rule, detail, retryAfter }
  if (location === undefined && approval === undefined) return denial
  return {
    ...denial,
    ...(location === undefined ? {} : { location }),
    ...(approval === undefined ? {} : { approval }),
  }
}

/** RFC 9110, section 15.4.8: the client repeats the request with its method and body. */
const TEMPORARY_REDIRECT = 307

/** The status that a denial is answered with. */
export function denialStatus({ reason, location }: Denial): number {
  return location === undefined ? statusOf(reason) : TEMPORARY_REDIRECT
}

/** Seconds: what is held is sent as soon as it is there. */
const BUSY_SECONDS = 1

export function denyFailure({ reason, detail }: InjectionFailure, rule: string | null): Denial {
  return deny(reason, { rule, detail, retryAfter: reason === 'busy' ? BUSY_SECONDS : null })
}
