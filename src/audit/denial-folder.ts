import { RateLimiter } from '#firewall/ledger/rate-limit.js'
import type { RateLimit } from '#firewall/contracts/limits.js'
import type { SandboxRef } from '#firewall/contracts/identity.js'
import type { RepeatEvent } from '../events/events.js'

/** How many denials of one sandbox get a record each, and how many bytes these may have; what is beyond is counted. */
export interface DenialBudget {
  readonly lines: RateLimit
  readonly bytes: RateLimit
}

/** Above what an agent that is mistaken does; a hundredth of what one can do that means harm. */
export const DEFAULT_DENIAL_BUDGET: DenialBudget = {
  lines: { perSecond: 20, burst: 500 },
  bytes: { perSecond: 32_768, burst: 524_288 },
}

/** Denials of one sandbox that are told apart while they are counted; beyond it, and then beyond it again, less is told apart. */
const MAX_KEYS = 32

/** The parts of a denial by which it is counted. */
export interface Denied {
  readonly at: number
  readonly sandbox: SandboxRef | null
  readonly action: RepeatEvent['action']
  readonly reason: RepeatEvent['reason']
  readonly rule: string | null
  readonly host: string | null
  readonly method: string | null
}

interface Account {
  /** By what they have in common, in the order in which they began. */
  readonly repeats: Map<string, Mutable<RepeatEvent>>
  /** How many of them say which host. */
  detailed: number
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/**
 * Threat: a sandbox that is denied everything fills the disk on which the log of all of them stands. Each denial within a
 * budget has a record of its own; those beyond it are counted, and a record of their number follows. Nothing that was
 * allowed comes here. What is kept is bounded: per sandbox by `MAX_KEYS`, and there is nothing of one that was not denied lately.
 */
export class DenialFolder {
  readonly #budget: DenialBudget
  readonly #lines = new RateLimiter()
  readonly #bytes = new RateLimiter()
  readonly #accounts = new Map<string, Account>()

  constructor(budget: DenialBudget = DEFAULT_DENIAL_BUDGET) {
    this.#budget = budget
  }

  /** True when the denial was counted here; false when it is to have a record of its own, which is paid for with `spend`. */
  fold(denied: Denied): boolean {
    const id = denied.sandbox?.id ?? ''
    const { lines, bytes } = this.#budget
    const now = denied.at
    const hasRoom = this.#bytes.take(id, bytes, now, false) === 0 && this.#lines.take(id, lines, now) === 0
    if (hasRoom) return false
    let account = this.#accounts.get(id)
    if (account === undefined) {
      account = { repeats: new Map(), detailed: 0 }
      this.#accounts.set(id, account)
    }
    count(account, denied)
    return true
  }

  /** A record of a denial was written. */
  spend(sandbox: SandboxRef | null, length: number, now: number): void {
    this.#bytes.draw(sandbox?.id ?? '', this.#budget.bytes, length, now)
  }

  /** What was counted since the last time, of one sandbox or of all. */
  take(sandbox?: string): RepeatEvent[] {
    const taken: RepeatEvent[] = []
    for (const [id, { repeats }] of this.#accounts) {
      if (sandbox !== undefined && id !== sandbox) continue
      taken.push(...repeats.values())
      this.#accounts.delete(id)
    }
    return taken
  }

  /** Forgets the budgets that are full again: nothing is different without them. */
  forgetIdle(now: number): void {
    this.#lines.forgetFull(this.#budget.lines, now)
    this.#bytes.forgetFull(this.#budget.bytes, now)
  }
}

function count(account: Account, denied: Denied): void {
  const { repeats } = account
  const { at, action, reason, rule, host, method } = denied
  const fine = [action, reason, rule, host, method].join('\n')
  const repeat = repeats.get(fine) ?? (account.detailed < MAX_KEYS ? undefined : coarse(repeats, denied))
  if (repeat !== undefined) {
    repeat.count += 1
    repeat.last = at
    return
  }
  account.detailed += 1
  repeats.set(fine, begin(denied, { rule, host, method }))
}

/** The count of those that have the reason in common, or of the rest; it is there after this. */
function coarse(repeats: Account['repeats'], denied: Denied): Mutable<RepeatEvent> {
  const key = `${denied.action}\n${denied.reason ?? ''}`
  const isFull = repeats.size >= 2 * MAX_KEYS && !repeats.has(key)
  const used = isFull ? 'rest' : key
  let repeat = repeats.get(used)
  if (repeat === undefined) {
    repeat = begin(isFull ? { ...denied, action: 'several', reason: null } : denied, {})
    repeat.count = 0
    repeats.set(used, repeat)
  }
  return repeat
}

function begin(
  { at, sandbox, action, reason }: Denied,
  { rule = null, host = null, method = null }: Partial<Pick<Denied, 'rule' | 'host' | 'method'>>,
): Mutable<RepeatEvent> {
  return { at, sandbox, action, verdict: 'deny', reason, rule, host, method, count: 1, first: at, last: at }
}
