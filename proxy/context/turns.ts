/**
 * Milliseconds of one turn of the event loop that go to one sandbox: few while there are others, and more for one that is
 * alone, since each turn costs a look at every socket and a write of the log.
 */
const SLICE_MS = 1
const SLICE_ALONE_MS = 10

/** Milliseconds after which a sandbox that did nothing does not count as another one. */
const ALONE_MS = 1_000

/**
 * Shares the processor between sandboxes. Threat: a sandbox keeps the gateway busy with requests, handshakes, and answers that
 * are slow to search, and every other one waits until all of it is done. So each works for a slice of a turn of the event
 * loop; what it has beyond that waits for the next turn, in which the others, whose packets came meanwhile, are served too.
 * A sandbox alone loses nothing but the time of an empty turn.
 */
export class Turns {
  readonly #now: () => number
  /** Milliseconds that a sandbox has had of this turn. */
  readonly #spent = new Map<string, number>()
  /** What waits, in order. */
  readonly #waiting = new Map<string, (() => void)[]>()
  #running: string | null = null
  /** Who worked last, and when it was last another one than before. */
  #latest: string | null = null
  #changedAt = -Infinity
  #isArmed = false

  /** @param now milliseconds, of a clock that only goes forward */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** Does it now or in a later turn, after what was given before it. It must not throw. */
  do(sandbox: string, work: () => void): void {
    const waiting = this.#waiting.get(sandbox)
    if (this.#running === sandbox && waiting === undefined) work()
    else if (waiting === undefined && (this.#spent.get(sandbox) ?? 0) < this.#slice())
      this.#work(sandbox, work)
    else {
      if (waiting === undefined) this.#waiting.set(sandbox, [work])
      else waiting.push(work)
      this.#arm()
    }
  }

  /** The same for work that goes on behind it. */
  enter<T>(sandbox: string, work: () => Promise<T>): Promise<T> {
    const begin = async () => work()
    return new Promise((resolve, reject) => this.do(sandbox, () => void begin().then(resolve, reject)))
  }

  /** Work that was done elsewhere, such as in a handshake. */
  charge(sandbox: string, milliseconds: number): void {
    this.#spent.set(sandbox, (this.#spent.get(sandbox) ?? 0) + milliseconds)
    this.#arm()
  }

  /** Whether something of the sandbox waits, so that what comes now waits behind it. */
  isBehind(sandbox: string): boolean {
    return this.#waiting.has(sandbox)
  }

  #work(sandbox: string, work: () => void): void {
    const began = this.#now()
    if (sandbox !== this.#latest) {
      if (this.#latest !== null) this.#changedAt = began
      this.#latest = sandbox
    }
    this.#running = sandbox
    try {
      work()
    } finally {
      this.#running = null
      this.charge(sandbox, this.#now() - began)
    }
  }

  #slice(): number {
    return this.#now() - this.#changedAt < ALONE_MS ? SLICE_MS : SLICE_ALONE_MS
  }

  #arm(): void {
    if (this.#isArmed) return
    this.#isArmed = true
    setImmediate(() => this.#nextTurn())
  }

  #nextTurn(): void {
    this.#isArmed = false
    // What somebody had beyond a slice is owed: one long piece costs the turns that follow.
    const slice = this.#slice()
    for (const [sandbox, spent] of this.#spent) {
      if (spent <= slice) this.#spent.delete(sandbox)
      else this.#spent.set(sandbox, spent - slice)
    }
    for (const [sandbox, waiting] of this.#waiting) {
      let done = 0
      while (done < waiting.length && (this.#spent.get(sandbox) ?? 0) < slice) {
        const work = waiting[done]
        done += 1
        if (work !== undefined) this.#work(sandbox, work)
      }
      waiting.splice(0, done)
      if (waiting.length === 0) this.#waiting.delete(sandbox)
    }
    if (this.#waiting.size > 0 || this.#spent.size > 0) this.#arm()
  }
}
