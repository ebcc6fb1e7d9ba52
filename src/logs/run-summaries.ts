import type { GatewayEvent } from '../events/events.js'
import type { EventSink } from '../events/sink.js'
import { RunSummary, type RunTotals } from './run-summary.js'

/** Sandboxes that are remembered: one that has ended is asked about at once. */
const MAX_SANDBOXES = 512

/** Counts what each sandbox of a gateway asked for, until long after its end. */
export class RunSummaries implements EventSink {
  readonly #runs = new Map<string, RunSummary>()

  /** Nothing for a sandbox that is unknown, or has asked for nothing. */
  of(sandbox: string): RunTotals {
    return this.#runs.get(sandbox)?.totals() ?? { allowed: 0, refused: [] }
  }

  take(time: string, entry: GatewayEvent): void {
    if (!('sandbox' in entry.event)) return
    const id = entry.event.sandbox?.id
    if (id === undefined) return
    const known = this.#runs.get(id) ?? new RunSummary([])
    // The one that was heard of longest ago is forgotten first.
    this.#runs.delete(id)
    this.#runs.set(id, known)
    const [oldest] = this.#runs.keys()
    if (this.#runs.size > MAX_SANDBOXES && oldest !== undefined) this.#runs.delete(oldest)
    known.take(time, entry)
  }

  end(): void {
    this.#runs.clear()
  }
}
