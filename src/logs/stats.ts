import { hostOf } from './filter.js'
import { outcomeOfEvent } from './outcome.js'
import { quickLine, type JudgedLine } from './quick-line.js'
import { parseLine, type LogLine } from './read.js'

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

  /** A line as it is in the file. False for a damaged one. */
  addText(text: string): boolean {
    const quick = quickLine(text)
    if (quick === null) {
      const line = parseLine(text)
      if (line !== null) this.add(line)
      return line !== null
    }
    this.#addTime(quick.time)
    if (quick.kind === 'end') this.#addEnd(quick.bytesUp, quick.bytesDown, quick.redactions, quick.durationMs)
    else this.#addJudged(quick.kind === 'query', quick, 1)
    return true
  }

  add(line: LogLine): void {
    const { shown } = line
    if (shown.type === 'checkpoint') return
    this.#addTime(line.time)
    if (shown.type === 'close') {
      const { requestBytes, responseBytes, redactions, durationMs } = shown.event
      const taken = redactions.reduce((sum, one) => sum + one.count, 0)
      this.#addEnd(requestBytes, responseBytes, taken, durationMs)
    }
    if (!('verdict' in shown.event)) return
    const { verdict, rule } = shown.event
    const suspicious = shown.type === 'query' && shown.event.suspicious
    const isQuery = shown.type === 'query' || (shown.type === 'repeat' && shown.event.action === 'dns-query')
    const { agent, reason } = line
    const judged = { verdict, reason, rule, host: hostOf(line), agent, suspicious }
    this.#addJudged(isQuery, judged, shown.type === 'repeat' ? shown.event.count : 1)
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

  #addTime(time: string): void {
    this.#records += 1
    if (this.#from === null || time < this.#from) this.#from = time
    if (this.#to === null || time > this.#to) this.#to = time
  }

  #addJudged(isQuery: boolean, judged: JudgedLine, times: number): void {
    const { verdict, reason, rule, agent, suspicious } = judged
    const outcome = outcomeOfEvent({ verdict, reason })
    const outcomes = isQuery ? this.#queries : this.#requests
    outcomes[outcome] += times
    const host = judged.host ?? '(none)'
    if (!isQuery) {
      count(this.#hosts, host, times)
      count(this.#agents, agent ?? '(unknown)', times)
    }
    if (outcome === 'allowed' && rule !== null) count(this.#rules, rule, times)
    if (outcome !== 'allowed') count(this.#denials, `${host} ${reason ?? ''}`.trimEnd(), times)
    if (suspicious) count(this.#suspicious, host, times)
  }

  #addEnd(bytesUp: number, bytesDown: number, redactions: number, durationMs: number): void {
    this.#bytesUp += bytesUp
    this.#bytesDown += bytesDown
    this.#redactions += redactions
    this.#ended += 1
    // Each has the same chance to be among those that are kept (Vitter's algorithm R).
    const at =
      this.#durations.length < MAX_DURATIONS
        ? this.#durations.length
        : Math.floor(Math.random() * this.#ended)
    if (at < MAX_DURATIONS) this.#durations[at] = durationMs
  }
}

function count(counts: Map<string, number>, name: string, times: number): void {
  const known = counts.get(name)
  if (known !== undefined) counts.set(name, known + times)
  // A part of a block of the file would keep the whole block in memory.
  else if (counts.size < MAX_NAMES) counts.set(Buffer.from(name).toString(), times)
  else counts.set(OTHERS, (counts.get(OTHERS) ?? 0) + times)
}

function most(counts: ReadonlyMap<string, number>): Count[] {
  return Array.from(counts, ([name, count]) => ({ name, count })).sort(
    (a, b) => b.count - a.count || a.name.localeCompare(b.name),
  )
}
