import type { BudgetLimits, BudgetVerdict } from '../contracts/limits.js'

const DAY_MS = 86_400_000

/** Names remembered per sandbox and wildcard; a day's budget of one-byte names fits, and a flood cannot grow it. */
const MAX_REMEMBERED = 2048

/** A name that was paid for. */
interface Charge {
  readonly at: number
  readonly bytes: number
}

interface BudgetAccount {
  /** What was paid for in the last 24 hours, oldest first: asking again is free, so that an agent may retry. */
  readonly day: Map<string, Charge>
  dayBytes: number
  /** What was paid for in the last window, oldest first. */
  readonly window: Charge[]
  /** That it was last checked against. */
  limits: BudgetLimits
}

export interface BudgetInput {
  readonly sandbox: string
  readonly wildcard: string
  /** The open labels, joined by dots. */
  readonly wildcardLabels: string
  readonly limits: BudgetLimits
  /** Milliseconds since 1970. A clock that goes back gives nothing away. */
  readonly now: number
  /** False to ask without paying. */
  readonly charge: boolean
}

/** Accounts by sandbox and wildcard. Their number is bounded by the policy times the sandboxes; see `prune`. */
export class ExfiltrationBudget {
  readonly #accounts = new Map<string, Map<string, BudgetAccount>>()

  /** Is there room for this name? Asked again within 24 hours, a name that was charged is free. */
  check({ sandbox, wildcard, wildcardLabels: open, limits, now, charge }: BudgetInput): BudgetVerdict {
    const account = this.#account(sandbox, wildcard, limits)
    account.limits = limits
    dropOld(account, limits, now)
    const { window, day } = account
    const bytes = window.reduce((sum, item) => sum + item.bytes, 0)
    const left = { namesLeft: limits.names - window.length, bytesLeft: limits.bytes - bytes }
    if (day.has(open)) return { spent: false, ...left }
    const dayOver = {
      names: day.size + 1 - MAX_REMEMBERED,
      bytes: account.dayBytes + open.length - limits.bytesPerDay,
    }
    if (dayOver.names > 0 || dayOver.bytes > 0) {
      return { spent: true, limit: 'bytes-per-day', retryMs: waitFor(dayOver, day.values(), DAY_MS, now) }
    }
    const over = { names: 1 - left.namesLeft, bytes: open.length - left.bytesLeft }
    if (over.names > 0 || over.bytes > 0) {
      const limit = over.names > 0 ? 'names' : 'bytes'
      return { spent: true, limit, retryMs: waitFor(over, window, limits.windowMs, now) }
    }
    if (!charge) return { spent: false, ...left }
    const item = { at: now, bytes: open.length }
    window.push(item)
    day.set(open, item)
    account.dayBytes += item.bytes
    return { spent: false, namesLeft: left.namesLeft - 1, bytesLeft: left.bytesLeft - item.bytes }
  }

  /** How much of its budget a sandbox has used, from 0 to 1, under the wildcard where that is the most. As of the last check. */
  usedBy(sandbox: string): number {
    const accounts = [...(this.#accounts.get(sandbox)?.values() ?? [])]
    const parts = accounts.flatMap(({ window, dayBytes, limits }) => [
      window.length / limits.names,
      window.reduce((sum, { bytes }) => sum + bytes, 0) / limits.bytes,
      dayBytes / limits.bytesPerDay,
    ])
    return Math.min(Math.max(0, ...parts.filter((part) => !Number.isNaN(part))), 1)
  }

  /** What every sandbox has used in the last 24 hours, by wildcard. */
  usage(
    now: number,
  ): readonly { readonly sandbox: string; readonly wildcard: string; readonly bytes: number }[] {
    return [...this.#accounts].flatMap(([sandbox, wildcards]) =>
      [...wildcards].map(([wildcard, { day }]) => ({
        sandbox,
        wildcard,
        bytes: [...day.values()].reduce((sum, { at, bytes }) => (now - at < DAY_MS ? sum + bytes : sum), 0),
      })),
    )
  }

  /** Drops the accounts of sandboxes that are gone. */
  prune(isActive: (sandbox: string) => boolean): void {
    for (const sandbox of this.#accounts.keys()) if (!isActive(sandbox)) this.#accounts.delete(sandbox)
  }

  #account(sandbox: string, wildcard: string, limits: BudgetLimits): BudgetAccount {
    let wildcards = this.#accounts.get(sandbox)
    if (wildcards === undefined) {
      wildcards = new Map<string, BudgetAccount>()
      this.#accounts.set(sandbox, wildcards)
    }
    let account = wildcards.get(wildcard)
    if (account === undefined) {
      account = { day: new Map<string, Charge>(), dayBytes: 0, window: [], limits }
      wildcards.set(wildcard, account)
    }
    return account
  }
}

function dropOld(account: BudgetAccount, limits: BudgetLimits, now: number): void {
  const { day, window } = account
  while (window[0] !== undefined && now - window[0].at >= limits.windowMs) window.shift()
  for (const [name, { at, bytes }] of day) {
    if (now - at < DAY_MS) break
    day.delete(name)
    account.dayBytes -= bytes
  }
}

/** Milliseconds until so many of the oldest charges are `span` old that these names and bytes are free. */
function waitFor(
  over: { readonly names: number; readonly bytes: number },
  charges: Iterable<Charge>,
  span: number,
  now: number,
): number {
  let { names, bytes } = over
  let last = now
  for (const charge of charges) {
    if (names <= 0 && bytes <= 0) break
    names -= 1
    bytes -= charge.bytes
    last = charge.at
  }
  return Math.max(last + span - now, 1)
}
