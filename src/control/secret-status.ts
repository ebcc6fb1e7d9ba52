import { EgressError } from '../common/errors.js'
import type { GatewayEvent } from '../events/events.js'
import type { EventSink } from '../events/sink.js'

interface Status {
  /** Milliseconds since 1970: when it was loaded or got its value. */
  readonly since: number
  readonly failure: { readonly problem: string; readonly fix: string | null } | null
}

/** How old each secret is, and whether it can be refreshed. */
export class SecretStatus implements EventSink {
  readonly #now: () => number
  readonly #status = new Map<string, Status>()

  constructor(now: () => number) {
    this.#now = now
  }

  /** A policy is in force with these secrets, all of them just read. */
  loaded(names: readonly string[]): void {
    this.#status.clear()
    for (const name of names) this.#status.set(name, { since: this.#now(), failure: null })
  }

  take(_time: string, { type, event }: GatewayEvent): void {
    if (type !== 'rotation') return
    const { secret, problem, fix, at } = event
    const since = this.#status.get(secret)?.since ?? at
    this.#status.set(
      secret,
      problem === null ? { since: at, failure: null } : { since, failure: { problem, fix } },
    )
  }

  end(): void {
    this.#status.clear()
  }

  list(): readonly { readonly name: string; readonly ageMs: number; readonly isFailing: boolean }[] {
    const now = this.#now()
    return [...this.#status].map(([name, { since, failure }]) => ({
      name,
      ageMs: Math.max(now - since, 0),
      isFailing: failure !== null,
    }))
  }

  /** Of the first secret that cannot be refreshed. Its previous value is in use. */
  problem(): Error | null {
    for (const [name, { failure }] of this.#status) {
      if (failure === null) continue
      return new EgressError({
        code: 'EGRESS_SECRET_REFRESH',
        problem: `Secret ${name} cannot be refreshed, so its previous value stays in use: ${failure.problem}`,
        fix: failure.fix ?? 'Check its source in `secrets`',
        exitCode: 1,
      })
    }
    return null
  }
}
