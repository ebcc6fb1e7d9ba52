/** What was decided in one minute. */
export interface Minute {
  /** Its beginning, in ISO 8601. */
  readonly time: string
  readonly allowed: number
  readonly denied: number
  /** Of the denied ones, those that look as if data were carried out. */
  readonly attempts: number
}

const MINUTE_MS = 60_000

/** Minutes that are kept. */
const KEPT = 60

interface Slot {
  minute: number
  allowed: number
  denied: number
  attempts: number
}

/** Counts decisions by the minute, of the last hour. */
export class Timeline {
  readonly #now: () => number
  /** By the minute, modulo their number. */
  readonly #slots: readonly Slot[] = Array.from({ length: KEPT }, () => ({
    ...{ minute: -1, allowed: 0, denied: 0, attempts: 0 },
  }))

  constructor(now: () => number) {
    this.#now = now
  }

  add(isAllowed: boolean, isAttempt: boolean): void {
    const minute = Math.floor(this.#now() / MINUTE_MS)
    const slot = this.#slots[minute % KEPT] as Slot
    if (slot.minute !== minute) {
      slot.minute = minute
      slot.allowed = 0
      slot.denied = 0
      slot.attempts = 0
    }
    if (isAllowed) slot.allowed += 1
    else slot.denied += 1
    if (isAttempt) slot.attempts += 1
  }

  /** The oldest first; those in which nothing was decided, too. */
  minutes(): readonly Minute[] {
    const last = Math.floor(this.#now() / MINUTE_MS)
    return Array.from({ length: KEPT }, (_, index) => {
      const minute = last - KEPT + 1 + index
      const slot = this.#slots[((minute % KEPT) + KEPT) % KEPT] as Slot
      const { allowed, denied, attempts } =
        slot.minute === minute ? slot : { allowed: 0, denied: 0, attempts: 0 }
      return { time: new Date(minute * MINUTE_MS).toISOString(), allowed, denied, attempts }
    })
  }
}
