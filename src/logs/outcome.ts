import { outcomeOf, type Outcome } from '#firewall/contracts/reasons.js'

/** A query or request that was let through or not. */
export interface Judged {
  readonly verdict: 'allow' | 'deny'
  readonly reason: string | null
}

/** What became of it. */
export function outcomeOfEvent({ verdict, reason }: Judged): Outcome | 'allowed' {
  return verdict === 'allow' ? 'allowed' : outcomeOf(reason)
}
