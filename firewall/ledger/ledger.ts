import { ExfiltrationBudget } from './exfiltration-budget.js'
import { FairShare } from './fair-share.js'
import { sandboxOf } from './limit-key.js'
import { MemoryBudget } from './memory-budget.js'
import { QueryLimiter } from './query-limiter.js'
import { QuotaCounter } from './quota.js'
import { RateLimiter } from './rate-limit.js'

/** The sandbox that all unknown clients together are: they are told apart only by addresses of their own choosing. */
export const UNKNOWN_CLIENTS = ''

export interface SandboxUsage {
  /** Open now. */
  readonly connections: number
  /** Open requests, WebSockets and tunnels. */
  readonly requests: number
  readonly heldBytes: number
  /** Part of the budget of names, from 0 to 1, of the wildcard where it is the most. */
  readonly budgetUsed: number
}

/**
 * Everything that is counted per sandbox, in one place. It outlives every change of policy: limits come with each call, so
 * that a reload gives nobody a second budget.
 */
export class Ledger {
  /** Requests, by `limitKey`. */
  readonly rates = new RateLimiter()
  /** Requests and bytes in a window, by `limitKey`. */
  readonly quotas = new QuotaCounter()
  /** New names under wildcards, by sandbox and wildcard. */
  readonly names = new ExfiltrationBudget()
  /** DNS queries. */
  readonly queries = new QueryLimiter()
  /** Open connections. */
  readonly connections = new FairShare()
  /** Connections beyond these that are being told so. */
  readonly refusals = new FairShare()
  /** Open requests, WebSockets and tunnels. */
  readonly requests = new FairShare()
  /** Bytes that are held. */
  readonly memory = new MemoryBudget()
  /** New certificates, by sandbox. */
  readonly certificates = new RateLimiter()

  /** What a sandbox holds now, and has used. */
  usageOf(sandbox: string): SandboxUsage {
    return {
      connections: this.connections.of(sandbox),
      requests: this.requests.of(sandbox),
      heldBytes: this.memory.of(sandbox),
      budgetUsed: this.names.usedBy(sandbox),
    }
  }

  /** Forgets a sandbox that has ended. What is still open of it is released as it closes. */
  drop(sandbox: string): void {
    this.prune((one) => one !== sandbox)
  }

  /** Forgets every sandbox that is not active. */
  prune(isActive: (sandbox: string) => boolean): void {
    const isKept = (sandbox: string) => sandbox === UNKNOWN_CLIENTS || isActive(sandbox)
    const isKeptKey = (key: string) => isKept(sandboxOf(key))
    this.rates.prune(isKeptKey)
    this.quotas.prune(isKeptKey)
    this.names.prune(isKept)
    this.queries.prune(isKept)
    this.certificates.prune(isKept)
  }
}
