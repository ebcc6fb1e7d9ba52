import { outcomeOf } from '#firewall/contracts/reasons.js'
import type { GatewayEvent } from '../events/events.js'
import type { EventSink } from '../events/sink.js'

/** Requests of one sandbox since the gateway started. */
export interface RequestCounts {
  readonly allowed: number
  readonly denied: number
  /** Allowed or denied because something broke, and not because the policy says so. */
  readonly failed: number
  readonly limited: number
}

export const NO_REQUESTS: RequestCounts = { allowed: 0, denied: 0, failed: 0, limited: 0 }

/** Counts the requests of each sandbox that is there. */
export class SandboxCounts implements EventSink {
  readonly #counts = new Map<string, RequestCounts>()

  of(sandbox: string): RequestCounts {
    return this.#counts.get(sandbox) ?? NO_REQUESTS
  }

  take(_time: string, { type, event }: GatewayEvent): void {
    if (type === 'decision') {
      if (event.kind === 'lookup' || event.kind === 'token') return
      this.#add(event.sandbox?.id, event.verdict === 'allow' ? 'allowed' : outcomeOf(event.reason), 1)
    } else if (type === 'close') {
      if (event.outcome === 'failure') this.#add(event.sandbox.id, 'failed', 1)
    } else if (type === 'repeat') {
      if (event.action !== 'dns-query') this.#add(event.sandbox?.id, outcomeOf(event.reason), event.count)
    } else if (type === 'sandbox' && event.action === 'sandbox-end') {
      this.#counts.delete(event.sandbox.id)
    }
  }

  end(): void {
    this.#counts.clear()
  }

  #add(sandbox: string | undefined, what: keyof RequestCounts, count: number): void {
    if (sandbox === undefined) return
    const before = this.of(sandbox)
    this.#counts.set(sandbox, { ...before, [what]: before[what] + count })
  }
}
