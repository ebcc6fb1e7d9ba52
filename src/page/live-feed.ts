import { parse as parseDomain } from 'tldts'
import type { GatewayEvent } from '../events/events.js'
import type { EventSink } from '../events/sink.js'
import type { LogLine } from '../logs/read.js'
import { Timeline, type Minute } from './timeline.js'

/** One line of the page: what was decided, or happened. All of it is text of others. */
export interface FeedItem {
  /** Counts from 1. */
  readonly n: number
  readonly time: string
  readonly type: GatewayEvent['type']
  /** What belongs to one request has the same; null for what belongs to none. */
  readonly request: string | null
  readonly sandbox: string | null
  readonly agent: string | null
  /** Of a query or a request; null for others. */
  readonly host: string | null
  /** Under which somebody may have a name for everything; of queries alone. */
  readonly domain: string | null
  /** `allow`, `deny`, or null for what is no decision. */
  readonly verdict: 'allow' | 'deny' | null
  readonly reason: string | null
  readonly what: string
  /** Looks like an attempt to carry data or a credential out. */
  readonly suspicious: boolean
  /** What else there is to say, for the story of a request. */
  readonly facts: readonly (readonly [name: string, value: string])[]
}

/** What a page that opens is shown. */
const KEPT = 400

/** Characters of a path that are shown. */
const MAX_WHAT = 512

/** Reasons that say somebody tries to carry data or credentials out. */
const ATTEMPTS: ReadonlySet<string | null> = new Set([
  'placeholder-misplaced',
  'name-looks-encoded',
  'name-budget',
])

type Told = Omit<FeedItem, 'n'>

/** What is kept costs nothing until somebody looks: it is put into words then. */
interface Kept {
  readonly n: number
  readonly told: () => Told
}

/** The last events of the gateway, and those that follow. Observes only: a page that does not keep up misses some. */
export class LiveFeed implements EventSink {
  readonly #kept: Kept[] = []
  readonly #listeners = new Set<(item: Kept) => void>()
  readonly #timeline: Timeline
  #count = 0

  constructor(now: () => number = Date.now) {
    this.#timeline = new Timeline(now)
  }

  take(time: string, happened: GatewayEvent): void {
    const { type, event } = happened
    if (type === 'query' || type === 'decision') {
      const attempt = (type === 'query' && event.suspicious) || ATTEMPTS.has(event.reason)
      this.#timeline.add(event.verdict !== 'deny', attempt)
    } else if (type !== 'close' && type !== 'approval' && type !== 'sandbox' && type !== 'policy') return
    this.#add(() => describe(time, happened))
  }

  /** A query that a resolver in another process has recorded. */
  takeRecorded({ time, sandbox, agent, shown }: LogLine): void {
    if (shown.type !== 'query') return
    const { question, verdict, reason, suspicious } = shown.event
    this.#timeline.add(verdict !== 'deny', suspicious || ATTEMPTS.has(reason))
    const who = { sandbox, agent }
    this.#add(() => describeQuery(time, who, { question, verdict, reason, suspicious }))
  }

  end(): void {
    this.#listeners.clear()
  }

  /** What was decided in each of the last minutes, the oldest first. */
  minutes(): readonly Minute[] {
    return this.#timeline.minutes()
  }

  /** Server-sent events: what is kept, then what happens, until the signal fires. */
  async *stream(signal: AbortSignal): AsyncIterable<string> {
    const queue = [...this.#kept]
    let wake: () => void = () => undefined
    const listener = (item: Kept) => {
      queue.push(item)
      if (queue.length > KEPT) queue.shift()
      wake()
    }
    this.#listeners.add(listener)
    const stop = () => wake()
    signal.addEventListener('abort', stop)
    try {
      yield ': open\n\n'
      while (!signal.aborted) {
        const items = queue.splice(0)
        if (items.length > 0)
          yield items.map(({ n, told }) => `data: ${JSON.stringify({ n, ...told() })}\n\n`).join('')
        else await new Promise<void>((resolve) => (wake = resolve))
      }
    } finally {
      this.#listeners.delete(listener)
      signal.removeEventListener('abort', stop)
    }
  }

  #add(told: () => Told): void {
    this.#count += 1
    const item = { n: this.#count, told }
    this.#kept.push(item)
    if (this.#kept.length > KEPT) this.#kept.shift()
    for (const listener of this.#listeners) listener(item)
  }
}

interface Who {
  readonly sandbox: string | null
  readonly agent: string | null
}

function describe(time: string, { type, event }: GatewayEvent): Told {
  const sandbox = 'sandbox' in event ? event.sandbox : null
  const who: Who = { sandbox: sandbox?.id ?? null, agent: sandbox?.agent ?? null }
  if (type === 'query') return describeQuery(time, who, event)
  const base = { ...EMPTY, ...who, time, type }
  if (type === 'decision') {
    const { verdict, reason, method, kind, scheme, host, path, query, rule, service, credential } = event
    const url = `${scheme ?? ''}://${host ?? ''}${path ?? ''}${query ?? ''}`
    return {
      ...{ ...base, request: event.id, host, reason, verdict: verdict === 'deny' ? 'deny' : 'allow' },
      ...{ what: cut(`${method ?? kind} ${url}`), suspicious: ATTEMPTS.has(reason) },
      facts: factsOf({
        ...{ kind, rule, service, credential, detail: event.detail, address: event.address },
        status: event.status,
      }),
    }
  }
  if (type === 'close') {
    const { status, reason, detail, outcome, requestBytes, responseBytes, durationMs, redactions } = event
    const taken = redactions.reduce((sum, { count }) => sum + count, 0)
    return {
      ...{ ...base, request: event.id, host: event.host, reason, what: `end: ${String(status ?? outcome)}` },
      facts: factsOf({
        ...{ status, detail, outcome, 'bytes up': requestBytes, 'bytes down': responseBytes },
        ...{ milliseconds: Math.round(durationMs), 'secrets taken out': taken === 0 ? null : taken },
      }),
    }
  }
  if (type === 'approval') {
    const { action, id, method, host, path, reason } = event
    return { ...base, host, reason, what: cut(`${action} ${id}: ${method} ${host}${path}`) }
  }
  if (type === 'policy') return { ...base, reason: event.problem, what: event.action }
  return { ...base, what: 'action' in event ? cut(event.action) : type }
}

const EMPTY = Object.freeze({
  ...{ request: null, host: null, domain: null, verdict: null, reason: null, suspicious: false },
  facts: Object.freeze([] as const),
})

interface Asked {
  readonly question: { readonly name: string; readonly type: string } | null
  readonly verdict: 'allow' | 'deny' | 'observe'
  readonly reason: string | null
  readonly suspicious: boolean
}

function describeQuery(time: string, who: Who, { question, verdict, reason, suspicious }: Asked): Told {
  const host = question?.name ?? null
  return {
    ...{ ...EMPTY, ...who, time, type: 'query', host, reason },
    domain: host === null ? null : (parseDomain(host).domain ?? host),
    verdict: verdict === 'deny' ? 'deny' : 'allow',
    what: cut(question === null ? 'DNS (unreadable)' : `DNS ${question.type} ${question.name}`),
    suspicious: suspicious || ATTEMPTS.has(reason),
  }
}

function factsOf(values: Readonly<Record<string, string | number | null>>): FeedItem['facts'] {
  return Object.entries(values).flatMap(([name, value]) =>
    value === null ? [] : [[name, cut(String(value))] as const],
  )
}

const cut = (text: string) => (text.length > MAX_WHAT ? `${text.slice(0, MAX_WHAT)}…` : text)
