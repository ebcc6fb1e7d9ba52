import type { CredentialTools } from '#firewall/contracts/credential.js'
import { Secret } from '#firewall/secrets/secret.js'
import { codeOf, TokenRequestError } from '../contracts/errors.js'

/** A token as its endpoint gave it. */
export interface Token {
  readonly value: string
  /** Milliseconds from the request for it to its end. */
  readonly lifeMs: number
}

/** Why there is no token: one line for the agent and the log, without a secret in it. */
export interface TokenError {
  readonly problem: string
}

/** Asks for a token. What it throws is a fault too; of an error that is not the gateway's own only the code is told. */
export type ObtainToken = (tools: CredentialTools) => Promise<Token | TokenError>

/** A token is rotated when this part of its life is left, and at least this long before its end. */
const AHEAD_PART = 0.1
const AHEAD_MS = 60_000

/** A token is not sent in the last part of its life: it would end on the way, or by the upstream's clock. */
const MARGIN_MS = 5_000

/** After a failure nobody asks again for this long; the wait doubles up to its limit while failures go on. */
const FIRST_WAIT_MS = 5_000
const LONGEST_WAIT_MS = 60_000

/**
 * The first token that the upstream refuses is dropped at once; the next one not before this long after it, and the wait
 * doubles to ten minutes. Threat: an upstream that always answers 401, or a path that does, turns every request into two.
 */
const INITIAL_BACKOFF_MS = 60_000
const MAX_BACKOFF_MS = 600_000

/** Tokens that redaction looks for beside the present one, as long as they are valid. Patience bounds them too. */
const MAX_FORMER = 8

/**
 * One token for all requests that need it.
 *
 *     none ── request ──▶ asked for, once, all wait ──▶ good ── due ──▶ good, rotated in the background
 *                                │ failed                 │ 401, or its end
 *                                ▼                        ▼
 *                         503 until the wait is over     none
 *
 * It has no timer: what is due is done by the next request.
 */
export class TokenCache {
  /** The present token, with the former ones among what is sensitive of it. Empty at first. */
  readonly token: Secret
  readonly #values: readonly Secret[]
  readonly #obtain: ObtainToken
  #present: { readonly at: number; readonly lifeMs: number; readonly madeOf: string } | null = null
  #known: readonly { readonly text: string; readonly until: number }[] = []
  #pending: Promise<string | TokenError> | null = null
  #failure: (TokenError & { readonly at: number; readonly waitMs: number; readonly madeOf: string }) | null =
    null
  #dropped: { readonly at: number; readonly graceMs: number } | null = null

  /**
   * @param name   what stands in logs instead of the token
   * @param values what it is obtained with: when one of them changes, the token is rotated
   */
  constructor(name: string, values: readonly Secret[], obtain: ObtainToken) {
    this.token = new Secret(name, '', [])
    this.#values = values
    this.#obtain = obtain
  }

  /** The present token at once, or one that is asked for now. Never rejects. */
  get(tools: CredentialTools): string | TokenError | Promise<string | TokenError> {
    const now = tools.now()
    const present = this.#present
    if (present === null || passed(present.at, present.lifeMs - MARGIN_MS, now)) {
      return this.#standingFailure(now) ?? this.#renew(tools)
    }
    const ahead = Math.max(present.lifeMs * AHEAD_PART, Math.min(AHEAD_MS, present.lifeMs / 2))
    const due = passed(present.at, present.lifeMs - ahead, now) || present.madeOf !== this.#versions()
    if (due && this.#standingFailure(now) === null) void this.#renew(tools)
    return this.token.reveal()
  }

  /** The upstream refused this token. A token that was replaced meanwhile is no reason to drop the new one. */
  refuse(value: string, now: number): void {
    if (this.#present === null || value !== this.token.reveal()) return
    const before = this.#dropped
    if (before !== null && !passed(before.at, before.graceMs, now)) return
    const graceMs = before === null ? INITIAL_BACKOFF_MS : Math.min(before.graceMs * 2, MAX_BACKOFF_MS)
    this.#dropped = { at: now, graceMs }
    this.#present = null
  }

  #standingFailure(now: number): TokenError | null {
    const failure = this.#failure
    if (failure === null || failure.madeOf !== this.#versions()) return null
    return passed(failure.at, failure.waitMs, now) ? null : { problem: failure.problem }
  }

  #renew(tools: CredentialTools): Promise<string | TokenError> {
    this.#pending ??= this.#ask(tools).finally(() => (this.#pending = null))
    return this.#pending
  }

  async #ask(tools: CredentialTools): Promise<string | TokenError> {
    const at = tools.now()
    const madeOf = this.#versions()
    const obtained = await this.#obtain(tools).catch(errorOf)
    if ('problem' in obtained) {
      const before = this.#failure
      const waitMs = before === null ? FIRST_WAIT_MS : Math.min(before.waitMs * 2, LONGEST_WAIT_MS)
      this.#failure = { problem: obtained.problem, at: tools.now(), waitMs, madeOf }
      return obtained
    }
    this.#failure = null
    // It lived to be rotated in time: what was refused before is past.
    if (this.#present !== null) this.#dropped = null
    this.#present = { at, lifeMs: obtained.lifeMs, madeOf }
    this.#keep(obtained, at)
    return obtained.value
  }

  /** Threat: an upstream that keeps a token that it saw says it back later, while it is still good. */
  #keep({ value, lifeMs }: Token, at: number): void {
    const others = this.#known.filter(({ text, until }) => text !== value && until > at)
    this.#known = [{ text: value, until: at + lifeMs }, ...others].slice(0, MAX_FORMER + 1)
    this.token.rotate(
      value,
      this.#known.map(({ text }) => text),
    )
  }

  #versions(): string {
    return this.#values.map(({ version }) => version).join()
  }
}

/** Whether a span is over. A clock that was set back ends it, for nobody knows how much of it is left. */
function passed(since: number, spanMs: number, now: number): boolean {
  return now < since || now - since >= spanMs
}

function errorOf(error: unknown): TokenError {
  if (error instanceof TokenRequestError) return { problem: error.message }
  return { problem: `the token could not be made (${codeOf(error)})` }
}
