import { hostOf, outcomeOfLine } from './filter.js'
import type { LogLine } from './read.js'

/** Names of one kind that are counted one by one: a log may have millions, and memory has not. */
const MAX_NAMES = 10_000
/** Durations that are kept, of which the percentiles are. */
const MAX_DURATIONS = 100_000
const OTHERS = '(others)'

type Outcomes = Record<'allowed' | 'denied' | 'failed' | 'limited', number>

/** What a log says in figures. */
export interface Figures {
  readonly records: number
  /** Times of the first and the last record. */
  readonly from: string | null
  readonly to: string | null
  readonly queries: Outcomes
  readonly requests: Outcomes
  /** Bytes of bodies, up and down, of requests that ended. */
  readonly bytesUp: number
  readonly bytesDown: number
  /** Secrets that were taken out of responses. */
  readonly redactions: number
  /** Milliseconds that half, and 95 of a hundred, requests took at most; null where none ended. */
  readonly p50: number | null
  readonly p95: number | null
  /** The most frequent first. */
  readonly byHost: readonly Count[]
  readonly byAgent: readonly Count[]
  readonly byRule: readonly Count[]
  /** Hosts with the reason why. */
  readonly denials: readonly Count[]
  /** Names of denied queries that look like encoded data. */
  readonly suspicious: readonly Count[]
}

export interface Count {
  readonly name: string
  readonly count: number
}

/** Counts records one after another. */
export class LogStats {
  #records = 0
  #from: string | null = null
  #to: string | null = null
  readonly #queries: Outcomes = { allowed: 0, denied: 0, failed: 0, limited: 0 }
  readonly #requests: Outcomes = { allowed: 0, denied: 0, failed: 0, limited: 0 }
  #bytesUp = 0
  #bytesDown = 0
  #redactions = 0
  readonly #durations: number[] = []
  #ended = 0
  readonly #hosts = new Map<string, number>()
  readonly #agents = new Map<string, number>()
  readonly #rules = new Map<string, number>()
  readonly #denials = new Map<string, number>()
  readonly #suspicious = new Map<string, number>()

  add(line: LogLine): void {
    const { shown } = line
    if (shown.type === 'checkpoint') return
    this.#records += 1
    if (this.#from === null || line.time < this.#from) this.#from = line.time
    if (this.#to === null || line.time > this.#to) this.#to = line.time
    if (shown.type === 'close') this.#addEnd(shown.event)
    const outcome = outcomeOfLine(line)
    if (outcome === null || !('verdict' in shown.event)) return
    const isQuery = shown.type === 'query' || (shown.type === 'repeat' && shown.event.action === 'dns-query')
    const times = shown.type === 'repeat' ? shown.event.count : 1
    const outcomes = isQuery ? this.#queries : this.#requests
    outcomes[outcome] += times
    const host = hostOf(line) ?? '(none)'
    if (!isQuery) {
      count(this.#hosts, host, times)
      count(this.#agents, line.agent ?? '(unknown)', times)
    }
    if (outcome === 'allowed' && shown.event.rule !== null) count(this.#rules, shown.event.rule, times)
    if (outcome !== 'allowed') count(this.#denials, `${host} ${line.reason ?? ''}`.trimEnd(), times)
    if (shown.type === 'query' && shown.event.suspicious) count(this.#suspicious, host, times)
  }

  figures(): Figures {
    const sorted = [...this.#durations].sort((a, b) => a - b)
    const percentile = (part: number) => sorted[Math.ceil(sorted.length * part) - 1] ?? null
    return {
      ...{ records: this.#records, from: this.#from, to: this.#to },
      ...{ queries: this.#queries, requests: this.#requests },
      ...{ bytesUp: this.#bytesUp, bytesDown: this.#bytesDown, redactions: this.#redactions },
      ...{ p50: percentile(0.5), p95: percentile(0.95) },
      byHost: most(this.#hosts),
      byAgent: most(this.#agents),
      byRule: most(this.#rules),
      denials: most(this.#denials),
      suspicious: most(this.#suspicious),
    }
  }

  #addEnd(event: Extract<LogLine['shown'], { type: 'close' }>['event']): void {
    this.#bytesUp += event.requestBytes
    this.#bytesDown += event.responseBytes
    this.#redactions += event.redactions.reduce((sum, one) => sum + one.count, 0)
    this.#ended += 1
    // Each has the same chance to be among those that are kept (Vitter's algorithm R).
    const at =
      this.#durations.length < MAX_DURATIONS
        ? this.#durations.length
        : Math.floor(Math.random() * this.#ended)
    if (at < MAX_DURATIONS) this.#durations[at] = event.durationMs
  }
}

function count(counts: Map<string, number>, name: string, times: number): void {
  const key = counts.has(name) || counts.size < MAX_NAMES ? name : OTHERS
  counts.set(key, (counts.get(key) ?? 0) + times)
}

function most(counts: ReadonlyMap<string, number>): Count[] {
  return Array.from(counts, ([name, count]) => ({ name, count })).sort(
    (a, b) => b.count - a.count || a.name.localeCompare(b.name),
  )
}
