import { randomBytes } from 'node:crypto'
import type { SandboxRef } from '#firewall/contracts/identity.js'
import type { Policy } from '#firewall/contracts/policy.js'
import { Approvals, ruleKey, type Approval, type ApprovalState } from '#firewall/ledger/approvals.js'
import type { MemoryReservation } from '#firewall/ledger/memory-budget.js'
import type { ApprovalAnswer, ApprovalDesk, ApprovalRequest } from '#proxy/contracts/approvals.js'
import { shorten } from '#proxy/request/records.js'
import type { ApprovalEvent, Decider } from '../events/events.js'

/** An approval as those who decide see it. */
export interface ShownApproval {
  readonly id: string
  readonly state: ApprovalState
  /** Milliseconds since 1970. Likewise `expires`. */
  readonly asked: number
  readonly expires: number
  readonly repeats: boolean
  readonly used: number
  readonly request: ApprovalRequest
}

/** For how long an approval holds: for one request, or for the same request again and again for so many milliseconds. */
export type Scope = { readonly kind: 'once' } | { readonly kind: 'repeated'; readonly ms: number }

export interface DeskOptions {
  /** Writes a record, or throws, and then nothing happens. */
  readonly record: (event: ApprovalEvent) => void
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Told of each new request, after its record. Must not throw. */
  readonly notify?: (approval: ShownApproval) => void
}

interface Content {
  readonly request: ApprovalRequest
  readonly memory: MemoryReservation
}

/**
 * Where requests wait for a person, and where a person decides. Everything is recorded before it takes effect. It outlives every
 * policy; with a policy that lacks the rule that asked, the question and the approval are gone.
 */
export class Desk implements ApprovalDesk {
  readonly #options: DeskOptions
  readonly #approvals = new Approvals<Content>()
  #timer: NodeJS.Timeout | undefined

  constructor(options: DeskOptions) {
    this.#options = options
  }

  submit(
    request: ApprovalRequest,
    expireMs: number,
    reserve: () => MemoryReservation | null,
  ): ApprovalAnswer {
    const now = this.#options.now()
    this.#expire()
    const known = this.#approvals.about(request.key)
    if (known !== null) {
      const { id, state, expires } = known
      if (state === 'granted') this.#use(known)
      return state === 'pending' ? { state, id, expires } : { state, id }
    }
    if (!this.#approvals.hasRoom(request.sandbox.id)) return { state: 'full' }
    const memory = reserve()
    if (memory === null) return { state: 'full' }
    const id = `ap-${randomBytes(8).toString('hex')}`
    const expires = now + expireMs
    try {
      this.#record('approval-requested', { id, request, expires })
    } catch (error) {
      memory.release()
      throw error
    }
    const { key, sandbox, rules } = request
    const asked = { key, sandbox, rules: rules.map(ruleKey), expireMs, content: { request, memory } }
    for (const { content } of this.#approvals.add(id, asked, now)) content.memory.release()
    this.#schedule()
    const added = this.#approvals.find(id)
    if (added !== null) this.#options.notify?.(shown(added))
    return { state: 'pending', id, expires }
  }

  onChange(id: string, listener: () => void): () => void {
    return this.#approvals.onChange(id, listener)
  }

  /** Everything that waits, or was decided and not used up. */
  list(): readonly ShownApproval[] {
    this.#expire()
    return this.#approvals.list().map(shown)
  }

  /**
   * The approval with this id, or the only one whose id begins with these characters; null if there is none.
   */
  find(id: string): ShownApproval | null {
    this.#expire()
    const exact = this.#approvals.find(id)
    if (exact !== null) return shown(exact)
    const [only, other] = this.#approvals.list().filter((one) => one.id.startsWith(id))
    return only === undefined || other !== undefined || id.length < MIN_PREFIX ? null : shown(only)
  }

  /**
   * Approves a request. Nothing else can pass by it: no other body, path, sandbox or credential.
   *
   * @returns the approval as it is then; null if it is gone
   * @throws AuditUnavailable, and then nothing has changed
   */
  approve(id: string, scope: Scope, by: Decider): ShownApproval | null {
    const found = this.find(id)
    if (found === null) return null
    const now = this.#options.now()
    const repeats = scope.kind === 'repeated'
    const until = repeats ? now + scope.ms : now + (found.expires - found.asked)
    this.#record('approval-granted', { ...found, expires: until, scope: scope.kind, by })
    this.#approvals.decide(found.id, { state: 'granted', until, repeats }, now)
    this.#schedule()
    return { ...found, state: 'granted', expires: until, repeats }
  }

  /** Denies a request, or takes back an approval that is not used up. Likewise. */
  deny(id: string, by: Decider): ShownApproval | null {
    const found = this.find(id)
    if (found === null) return null
    const now = this.#options.now()
    const until = now + (found.state === 'pending' ? found.expires - found.asked : found.expires - now)
    this.#record('approval-denied', { ...found, expires: until, by })
    this.#approvals.decide(found.id, { state: 'denied', until, repeats: false }, now)
    this.#schedule()
    return { ...found, state: 'denied', expires: until, repeats: false }
  }

  /** A policy is in force: what it does not ask about any more is gone. */
  replaced({ destinations }: Policy): void {
    const rules = destinations.flatMap(({ rules: own, agentRules = {} }) =>
      [own, ...Object.values(agentRules)].flat(),
    )
    const keys = new Set(rules.filter(({ effect }) => effect === 'ask').map(ruleKey))
    this.#end(this.#approvals.keepRules(keys), 'policy-changed')
  }

  /** Forgets those of sandboxes that are not active. */
  prune(isActive: (sandbox: string) => boolean): void {
    this.#end(this.#approvals.prune(isActive), 'sandbox-ended')
  }

  /** Nobody decides any more. */
  close(): void {
    clearTimeout(this.#timer)
    this.prune(() => false)
  }

  #use(approval: Approval<Content>): void {
    this.#approvals.use(approval.id)
    if (!approval.repeats) approval.content.memory.release()
  }

  #expire(): void {
    this.#end(this.#approvals.expire(this.#options.now()), null)
  }

  /** Records how each of them ended, but for those that were denied, or have been used. */
  #end(ended: readonly Approval<Content>[], reason: 'policy-changed' | 'sandbox-ended' | null): void {
    for (const { id, state, used, expires, content } of ended) {
      content.memory.release()
      if (state === 'denied' || used > 0) continue
      const why = reason ?? (state === 'pending' ? 'timed-out' : 'unused')
      this.#record('approval-expired', { id, expires, request: content.request, reason: why })
    }
  }

  /** Ends what is over in time, so that its record says when it was. */
  #schedule(): void {
    clearTimeout(this.#timer)
    const next = Math.min(...this.#approvals.list().map(({ expires }) => expires))
    if (next === Infinity) return
    this.#timer = setTimeout(
      () => {
        this.#expire()
        this.#schedule()
      },
      Math.min(Math.max(1, next - this.#options.now()), MAX_TIMER_MS),
    )
    this.#timer.unref()
  }

  #record(
    action: ApprovalEvent['action'],
    {
      id,
      request,
      expires,
      scope = null,
      by = null,
      reason = null,
    }: Pick<ApprovalEvent, 'id' | 'expires'> &
      Partial<Pick<ApprovalEvent, 'scope' | 'by' | 'reason'>> & { readonly request: ApprovalRequest },
  ): void {
    const { requestId, sandbox, method, origin, target, body, digest, key, rules, service, credential } =
      request
    const mark = target.indexOf('?')
    const query = mark < 0 ? null : target.slice(mark)
    const ref: SandboxRef = { id: sandbox.id, agent: sandbox.agent }
    this.#options.record({
      at: this.#options.now(),
      action,
      id,
      request: requestId,
      sandbox: ref,
      method,
      ...origin,
      path: shorten(mark < 0 ? target : target.slice(0, mark)),
      query: query === null ? null : shorten(query),
      body: { bytes: body.length, sha256: digest },
      digest: key,
      rule: rules[0].id,
      service,
      credential,
      expires,
      scope,
      by,
      reason,
    })
  }
}

/** Characters of an id that stand for it. */
const MIN_PREFIX = 6

/** A clock that is set back must not make anything wait longer than this for its end. */
const MAX_TIMER_MS = 60_000

function shown({ id, state, asked, expires, repeats, used, content }: Approval<Content>): ShownApproval {
  return { id, state, asked, expires, repeats, used, request: content.request }
}
