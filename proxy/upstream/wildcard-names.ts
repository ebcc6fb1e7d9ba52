/**
 * Milliseconds between the moments at which a new name may be looked up. When that happens is a message too; the moments are
 * few, and docs/dns.md counts them. A new name waits half of this on average, once a day.
 */
const SLOT_MS = 1_000

/** Milliseconds between two look-ups of a known name. */
const REFRESH_MS = 3_600_000

/** Milliseconds until a name that was not found is looked up again; twice as long after each failure. */
const RETRY_MS = 10_000

/** For how long a name is kept: as long as the sandbox that was charged for it may repeat it. */
const KEPT_MS = 86_400_000

/** Names that are kept. Above what the budgets of many sandboxes allow in a day; further names are not found. */
const MAX_NAMES = 16_384

interface Known<T> {
  resolution: Promise<T>
  due: number
  failures: number
  readonly expires: number
}

/**
 * Names under wildcards, which sandboxes make up. Threat: the name servers of the domain are the attacker's, and learn from
 * each look-up when it happens. So a sandbox chooses the moment of the first look-up of a name alone, to the second; all
 * others happen at times that follow from the first and from what was answered, whether anybody uses the name or not.
 */
export class WildcardNames<T> {
  readonly #lookUp: (host: string) => Promise<T>
  readonly #now: () => number
  readonly #known = new Map<string, Known<T>>()
  #timer: NodeJS.Timeout | null = null

  constructor(lookUp: (host: string) => Promise<T>, now: () => number) {
    this.#lookUp = lookUp
    this.#now = now
  }

  /** Whether it is answered without a look-up. */
  has(host: string): boolean {
    return (this.#known.get(host)?.expires ?? 0) > this.#now()
  }

  /** Rejects when the name was not found the last time that it was looked up. */
  resolve(host: string): Promise<T> {
    const known = this.#known.get(host)
    if (known !== undefined && known.expires > this.#now()) return known.resolution
    if (this.#known.size >= MAX_NAMES) return Promise.reject(new Error('too many names under wildcards'))
    const now = this.#now()
    const wait = (SLOT_MS - (now % SLOT_MS)) % SLOT_MS
    const resolution = wait === 0 ? this.#lookUp(host) : this.#later(host, wait)
    const entry = { resolution, due: now + wait + REFRESH_MS, failures: 0, expires: now + KEPT_MS }
    this.#known.set(host, entry)
    resolution.catch(() => this.#retryLater(entry))
    this.#timer ??= setInterval(() => this.refresh(), SLOT_MS).unref()
    return resolution
  }

  /** Looks up again what is due. Called by a timer. */
  refresh(): void {
    const now = this.#now()
    for (const [host, known] of this.#known) {
      if (known.expires <= now) this.#known.delete(host)
      else if (known.due <= now) this.#refresh(host, known)
    }
    if (this.#known.size === 0) this.stop()
  }

  /** Looks nothing up by itself any more. */
  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
  }

  #refresh(host: string, known: Known<T>): void {
    known.due = this.#now() + REFRESH_MS
    const resolution = this.#lookUp(host)
    resolution.then(
      () => {
        known.resolution = resolution
        known.failures = 0
      },
      // What was found before is used on: a name server that fails for a moment is no outage.
      () => this.#retryLater(known),
    )
  }

  #retryLater(known: Known<T>): void {
    known.due = this.#now() + Math.min(RETRY_MS * 2 ** known.failures, REFRESH_MS)
    known.failures += 1
  }

  #later(host: string, milliseconds: number): Promise<T> {
    return new Promise((resolve) => setTimeout(resolve, milliseconds)).then(() => this.#lookUp(host))
  }
}
