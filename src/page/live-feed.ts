import type { GatewayEvent } from '../events/events.js'
import type { EventSink } from '../events/sink.js'

/** One line of the page: what was decided, or happened. All of it is text of others. */
export interface FeedItem {
  /** Counts from 1. */
  readonly n: number
  readonly time: string
  readonly type: GatewayEvent['type']
  readonly sandbox: string | null
  readonly agent: string | null
  /** `allow`, `deny`, or null for what is no decision. */
  readonly verdict: 'allow' | 'deny' | null
  readonly reason: string | null
  readonly what: string
  /** Looks like an attempt to carry data out. */
  readonly suspicious: boolean
}

/** What a page that opens is shown. */
const KEPT = 200

/** Characters of a path that are shown. */
const MAX_WHAT = 512

/** The last events of the gateway, and those that follow. Observes only: a page that does not keep up misses some. */
export class LiveFeed implements EventSink {
  readonly #kept: FeedItem[] = []
  readonly #listeners = new Set<(item: FeedItem) => void>()
  #count = 0

  take(time: string, happened: GatewayEvent): void {
    const told = describe(happened)
    if (told === null) return
    this.#count += 1
    const item = { n: this.#count, time, type: happened.type, ...told }
    this.#kept.push(item)
    if (this.#kept.length > KEPT) this.#kept.shift()
    for (const listener of this.#listeners) listener(item)
  }

  end(): void {
    this.#listeners.clear()
  }

  /** Server-sent events: what is kept, then what happens, until the signal fires. */
  async *stream(signal: AbortSignal): AsyncIterable<string> {
    const queue = [...this.#kept]
    let wake: () => void = () => undefined
    const listener = (item: FeedItem) => {
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
        if (items.length > 0) yield items.map((item) => `data: ${JSON.stringify(item)}\n\n`).join('')
        else await new Promise<void>((resolve) => (wake = resolve))
      }
    } finally {
      this.#listeners.delete(listener)
      signal.removeEventListener('abort', stop)
    }
  }
}

type Told = Omit<FeedItem, 'n' | 'time' | 'type'>

/** Null for what a page does not show. */
function describe({ type, event }: GatewayEvent): Told | null {
  const sandbox = 'sandbox' in event ? event.sandbox : null
  const who = { sandbox: sandbox?.id ?? null, agent: sandbox?.agent ?? null, suspicious: false }
  if (type === 'query') {
    const { verdict, reason, question, suspicious } = event
    const what = question === null ? 'DNS (unreadable)' : `DNS ${question.type} ${question.name}`
    return { ...who, verdict, reason, suspicious, what: cut(what) }
  }
  if (type === 'decision') {
    const { verdict, reason, method, kind, scheme, host, path, query } = event
    const url = `${scheme ?? ''}://${host ?? ''}${path ?? ''}${query ?? ''}`
    const isDeny = verdict === 'deny'
    return { ...who, verdict: isDeny ? 'deny' : 'allow', reason, what: cut(`${method ?? kind} ${url}`) }
  }
  if (type === 'approval') {
    const { action, id, method, host, path, reason } = event
    return { ...who, verdict: null, reason, what: cut(`${action} ${id}: ${method} ${host}${path}`) }
  }
  if (type === 'sandbox') return { ...who, verdict: null, reason: null, what: cut(event.action) }
  if (type === 'policy') return { ...who, verdict: null, reason: event.problem, what: event.action }
  return null
}

const cut = (text: string) => (text.length > MAX_WHAT ? `${text.slice(0, MAX_WHAT)}…` : text)
