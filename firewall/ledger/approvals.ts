import type { SandboxRef } from '../contracts/identity.js'
import type { Rule } from '../contracts/rule.js'

/** Requests of one sandbox that may wait for a decision. A person reads each of them. */
export const MAX_PENDING = { own: 16, all: 256 } as const

/** What is kept of one sandbox in all; of what was denied, the oldest is forgotten first. */
const MAX_KEPT = 64

/** One request that a rule asks about. */
export interface Asked<Content> {
  /** Stands for everything that an approval is for: two requests have the same only if nothing differs that the upstream sees. */
  readonly key: string
  readonly sandbox: SandboxRef
  /** `ruleKey` of each rule that asks. */
  readonly rules: readonly string[]
  /** Milliseconds that it may wait for a decision. */
  readonly expireMs: number
  /** What is shown to the person who decides. */
  readonly content: Content
}

export type ApprovalState = 'pending' | 'granted' | 'denied'

/** A request with its decision, if there is one. */
export interface Approval<Content> extends Asked<Content> {
  /** Random, so that it tells nothing about others. */
  readonly id: string
  readonly state: ApprovalState
  /** Milliseconds since 1970. */
  readonly asked: number
  /** Milliseconds since 1970: until then it is pending, or the decision holds. */
  readonly expires: number
  /** Whether the request may pass more than once. */
  readonly repeats: boolean
  /** How often it has passed. */
  readonly used: number
}

export interface Decision {
  readonly state: 'granted' | 'denied'
  /** Milliseconds since 1970. */
  readonly until: number
  readonly repeats: boolean
}

type Entry<Content> = { -readonly [K in keyof Approval<Content>]: Approval<Content>[K] } & {
  lifetime: number
  readonly listeners: Set<() => void>
}

/**
 * Requests that wait for a person, and what was decided about them. Bounded by sandbox and in all. Its caller records what
 * happens, before it calls, and holds what the content takes.
 */
export class Approvals<Content> {
  readonly #byId = new Map<string, Entry<Content>>()
  readonly #byKey = new Map<string, Entry<Content>>()

  /** Every approval, the oldest first. */
  list(): readonly Approval<Content>[] {
    return [...this.#byId.values()]
  }

  find(id: string): Approval<Content> | null {
    return this.#byId.get(id) ?? null
  }

  /** What there is about this request; null if nobody was asked yet. Call `expire` first. */
  about(key: string): Approval<Content> | null {
    return this.#byKey.get(key) ?? null
  }

  /** Whether this sandbox can have one more request wait. */
  hasRoom(sandbox: string): boolean {
    const waiting = this.list().filter(({ state }) => state === 'pending')
    const own = waiting.filter((one) => one.sandbox.id === sandbox).length
    return own < MAX_PENDING.own && waiting.length < MAX_PENDING.all
  }

  /** Adds a request that waits. @returns what was forgotten to make room */
  add(id: string, asked: Asked<Content>, now: number): readonly Approval<Content>[] {
    const entry: Entry<Content> = {
      ...asked,
      id,
      state: 'pending',
      asked: now,
      expires: now + asked.expireMs,
      lifetime: asked.expireMs,
      repeats: false,
      used: 0,
      listeners: new Set(),
    }
    this.#byId.set(id, entry)
    this.#byKey.set(asked.key, entry)
    const own = [...this.#byId.values()].filter(({ sandbox }) => sandbox.id === asked.sandbox.id)
    const over = own.length - MAX_KEPT
    const denied = own.filter(({ state }) => state === 'denied').slice(0, Math.max(0, over))
    return this.#remove(denied)
  }

  /** Decides, or decides otherwise what has not been used up. False if there is no such approval any more. */
  decide(id: string, { state, until, repeats }: Decision, now: number): boolean {
    const entry = this.#byId.get(id)
    if (entry === undefined || isOver(entry, now)) return false
    entry.state = state
    entry.expires = until
    entry.lifetime = until - now
    entry.repeats = repeats
    tell(entry)
    return true
  }

  /** Counts one request that passes. One that may pass once is gone with it. */
  use(id: string): void {
    const entry = this.#byId.get(id)
    if (entry?.state !== 'granted') throw new Error('only what was approved can be used')
    entry.used += 1
    if (!entry.repeats) this.#remove([entry])
  }

  /** Calls back once when this one was decided or has ended; returns what takes it back. */
  onChange(id: string, listener: () => void): () => void {
    const listeners = this.#byId.get(id)?.listeners
    listeners?.add(listener)
    return () => listeners?.delete(listener)
  }

  /** Removes what is over by now, and returns it. */
  expire(now: number): readonly Approval<Content>[] {
    return this.#remove([...this.#byId.values()].filter((entry) => isOver(entry, now)))
  }

  /** Removes those of sandboxes that are not active, and returns them. */
  prune(isActive: (sandbox: string) => boolean): readonly Approval<Content>[] {
    return this.#remove([...this.#byId.values()].filter(({ sandbox }) => !isActive(sandbox.id)))
  }

  /** Removes those of which a rule is not among these any more, and returns them. */
  keepRules(rules: ReadonlySet<string>): readonly Approval<Content>[] {
    return this.#remove(
      [...this.#byId.values()].filter((entry) => !entry.rules.every((rule) => rules.has(rule))),
    )
  }

  #remove(entries: readonly Entry<Content>[]): readonly Approval<Content>[] {
    for (const entry of entries) {
      this.#byId.delete(entry.id)
      if (this.#byKey.get(entry.key) === entry) this.#byKey.delete(entry.key)
    }
    for (const entry of entries) tell(entry)
    return entries
  }
}

/** A clock that was set back makes nothing last longer than it was meant to. */
function isOver({ expires, lifetime }: { readonly expires: number; readonly lifetime: number }, now: number) {
  return now >= expires || expires - now > lifetime
}

function tell({ listeners }: { readonly listeners: Set<() => void> }): void {
  const told = [...listeners]
  listeners.clear()
  for (const listener of told) listener()
}

/**
 * What makes a rule the same rule in another policy: its place and its text. Its number is not a part of that, since a line above
 * it may come or go.
 */
export function ruleKey({ id, kind, text }: Rule): string {
  return JSON.stringify([id.replace(/\[\d+\]$/, ''), kind, text])
}
