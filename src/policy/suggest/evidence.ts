import { parse as parseDomain } from 'tldts'
import { methodsInQuery } from '#firewall/rules/method-overrides.js'
import type { LogLine } from '../../logs/read.js'
import type { Sightings } from '../sightings.js'
import { isByPolicy, recordedIn, type Recorded, type RecordedQuestion } from '../recorded.js'

/** Something that one agent was denied, or that passed while it was observed. */
export interface Want extends Sightings {
  readonly agent: string
  readonly question: RecordedQuestion
  /** Types of its DNS queries, where it is a name. */
  readonly types: ReadonlySet<string>
  /** Whether the gateway marked it as an attempt to carry data out. */
  readonly suspicious: boolean
  readonly detail: string | null
}

/** Wants that are kept; an agent may ask for anything, as often as it likes. */
const MAX_WANTS = 5_000
/** Different names below one registrable domain. Beyond this, the names themselves are what is sent: nobody lists so many. */
export const MAX_NAMES = 8
/** Different requests to one host. */
const MAX_REQUESTS = 1_000

interface Mutable {
  agent: string
  question: RecordedQuestion
  types: Set<string>
  suspicious: boolean
  detail: string | null
  count: number
  first: string
  last: string
}

/** Collects from a log what its agents wanted and did not get, in bounded memory. */
export class Evidence {
  readonly #wants = new Map<string, Mutable>()
  readonly #names = new Map<string, Set<string>>()
  readonly #requests = new Map<string, number>()
  readonly #others = new Map<string, number>()
  /** Denials that are counted alone, since there are too many of them. */
  beyond = 0

  take(line: LogLine): void {
    const recorded = recordedIn(line)
    if (recorded === null) {
      if ('verdict' in line.shown.event && line.shown.event.verdict === 'deny') this.#other(line)
    } else if (recorded.verdict !== 'allow') {
      if (recorded.verdict === 'observe' || isByPolicy(recorded.reason)) this.#want(recorded, line.time)
      else this.#other(line)
    }
  }

  get wants(): readonly Want[] {
    return [...this.#wants.values()]
  }

  /** Registrable domains, with the names below them that were asked for: at most one more than `MAX_NAMES` is remembered. */
  get names(): ReadonlyMap<string, ReadonlySet<string>> {
    return this.#names
  }

  /** Denials for other reasons than the policy's lists and rules, by reason. */
  get others(): ReadonlyMap<string, number> {
    return this.#others
  }

  #want(recorded: Recorded, time: string): void {
    const { agent, type, suspicious, detail, count } = recorded
    const question = withoutQuery(recorded.question)
    const key = JSON.stringify([agent, question])
    let want = this.#wants.get(key)
    if (want === undefined) {
      if (!this.#hasRoom(question)) {
        this.beyond += count
        return
      }
      want = { agent, question, types: new Set(), suspicious, detail, count: 0, first: time, last: time }
      this.#wants.set(key, want)
    }
    want.count += count
    want.suspicious ||= suspicious
    if (type !== null && want.types.size < MAX_NAMES) want.types.add(type)
    if (time < want.first) want.first = time
    if (time > want.last) want.last = time
  }

  #hasRoom({ kind, host }: RecordedQuestion): boolean {
    const domain = domainOf(host)
    const names = this.#names.get(domain) ?? new Set<string>()
    if (this.#wants.size >= MAX_WANTS) return false
    this.#names.set(domain, names)
    if (names.size > MAX_NAMES && !names.has(host)) return false
    names.add(host)
    if (kind !== 'request') return true
    const requests = (this.#requests.get(host) ?? 0) + 1
    if (requests > MAX_REQUESTS) return false
    this.#requests.set(host, requests)
    return true
  }

  #other({ reason, shown }: LogLine): void {
    const count = shown.type === 'repeat' ? shown.event.count : 1
    const known = this.#others.get(reason ?? '')
    if (known === undefined && this.#others.size >= MAX_NAMES * 8) this.beyond += count
    else this.#others.set(reason ?? '', (known ?? 0) + count)
  }
}

/** The name that somebody registered, under a public suffix; the name itself where there is none. */
export function domainOf(host: string): string {
  return parseDomain(host, { allowPrivateDomains: true }).domain ?? host
}

/** No rule looks at a query, but at the methods that servers may find in it. */
function withoutQuery(question: RecordedQuestion): RecordedQuestion {
  if (question.kind !== 'request') return question
  const [path = '', ...rest] = question.target.split('?')
  const query = rest.join('?')
  return methodsInQuery(`?${query}`).length > 0 ? question : { ...question, target: path }
}
