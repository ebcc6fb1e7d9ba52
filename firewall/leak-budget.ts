/**
 * How much a sandbox may say through the open labels of one wildcard. No test of a single name tells a five-byte
 * payload from a real name, so what counts is how many different ones there are.
 */
export interface BudgetLimits {
  /** New names in one window. */
  readonly names: number
  /** Bytes of new names' open labels in one window. */
  readonly bytes: number
  /** Length of the window, in milliseconds. */
  readonly windowMs: number
  /** Bytes of new names' open labels in 24 hours. */
  readonly bytesPerDay: number
}

/** At most 256 bytes in ten minutes and 2 KiB a day, about 0.19 bit/s. */
export const DEFAULT_BUDGET: BudgetLimits = { names: 16, bytes: 256, windowMs: 600_000, bytesPerDay: 2048 }

const DAY_MS = 86_400_000

/** Names remembered per sandbox and wildcard; a day's budget of one-byte names fits, and a flood cannot grow it. */
const MAX_REMEMBERED = 2048

interface Account {
  windowStart: number
  names: number
  bytes: number
  dayStart: number
  dayBytes: number
  /** Names that were paid for today: asking again is free, so that an agent may retry. */
  readonly known: Set<string>
}

export type BudgetVerdict =
  | { readonly spent: false; readonly namesLeft: number; readonly bytesLeft: number }
  /** `limit` is the one that ran out, `retryMs` the time until there is room again. */
  | { readonly spent: true; readonly limit: 'names' | 'bytes' | 'bytes-per-day'; readonly retryMs: number }

/** Accounts by sandbox and wildcard. Their number is bounded by the policy times the sandboxes; see `forget`. */
export class LeakBudget {
  readonly #limits: BudgetLimits
  readonly #accounts = new Map<string, Map<string, Account>>()

  constructor(limits: BudgetLimits) {
    this.#limits = limits
  }

  /** Charges a name (its open labels joined by dots), unless it was charged today. `now` in milliseconds. */
  spend(sandbox: string, wildcard: string, open: string, now: number): BudgetVerdict {
    return this.#judge(sandbox, wildcard, open, now, true)
  }

  /** The same verdict without charging. */
  peek(sandbox: string, wildcard: string, open: string, now: number): BudgetVerdict {
    return this.#judge(sandbox, wildcard, open, now, false)
  }

  /** Drops a sandbox that is gone. */
  forget(sandbox: string): void {
    this.#accounts.delete(sandbox)
  }

  #judge(sandbox: string, wildcard: string, open: string, now: number, charge: boolean): BudgetVerdict {
    const account = this.#account(sandbox, wildcard, now)
    const limits = this.#limits
    if (!account.known.has(open)) {
      const windowEnds = account.windowStart + limits.windowMs - now
      const dayEnds = account.dayStart + DAY_MS - now
      if (account.dayBytes + open.length > limits.bytesPerDay || account.known.size >= MAX_REMEMBERED) {
        return { spent: true, limit: 'bytes-per-day', retryMs: dayEnds }
      }
      if (account.names + 1 > limits.names) return { spent: true, limit: 'names', retryMs: windowEnds }
      if (account.bytes + open.length > limits.bytes)
        return { spent: true, limit: 'bytes', retryMs: windowEnds }
      if (charge) {
        account.names += 1
        account.bytes += open.length
        account.dayBytes += open.length
        account.known.add(open)
      }
    }
    return { spent: false, namesLeft: limits.names - account.names, bytesLeft: limits.bytes - account.bytes }
  }

  #account(sandbox: string, wildcard: string, now: number): Account {
    let wildcards = this.#accounts.get(sandbox)
    if (wildcards === undefined) {
      wildcards = new Map<string, Account>()
      this.#accounts.set(sandbox, wildcards)
    }
    let account = wildcards.get(wildcard)
    if (account === undefined) {
      account = { windowStart: now, names: 0, bytes: 0, dayStart: now, dayBytes: 0, known: new Set() }
      wildcards.set(wildcard, account)
    }
    if (now - account.windowStart >= this.#limits.windowMs) {
      account.windowStart = now
      account.names = 0
      account.bytes = 0
    }
    if (now - account.dayStart >= DAY_MS) {
      account.dayStart = now
      account.dayBytes = 0
      account.known.clear()
    }
    return account
  }
}
