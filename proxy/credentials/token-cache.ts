import type { CredentialTools } from '#firewall/contracts/credential.js'
import { Secret } from '#firewall/secrets/secret.js'
import { codeOf, TokenRequestError } from '../contracts/errors.js'

/** A token from a token endpoint. */
export interface Token {
  readonly value: string
  /** Lifetime from the token request to the expiry, in milliseconds. */
  readonly lifeMs: number
}

/** Why no token could be obtained: one line for the agent and the log, without secrets. */
export interface TokenError {
  readonly problem: string
}

/** Requests a token. May throw: of an error that is not a TokenRequestError, only the code is reported. */
export type ObtainToken = (tools: CredentialTools) => Promise<Token | TokenError>

/** A token is replaced when this part of its lifetime remains, and at least this long before it expires. */
const AHEAD_PART = 0.1
const AHEAD_MS = 60_000

/** A token is not sent in the last part of its lifetime: it could expire on the way, or by the upstream's clock. */
const MARGIN_MS = 5_000

/** Backoff after a failed token request. It doubles with every further failure, up to the maximum. */
const INITIAL_RETRY_MS = 5_000
const MAX_RETRY_MS = 60_000

/**
 * The first token that the upstream rejects is dropped immediately, the next one only after this time, which doubles up to the
 * maximum. Threat: an upstream or a path that always returns 401 turns every request into two.
 */
const INITIAL_BACKOFF_MS = 60_000
const MAX_BACKOFF_MS = 600_000

/** Maximum number of former, still valid tokens that redaction also searches for. The backoff limits them too. */
const MAX_FORMER = 8

/**
 * One token for all requests that need it.
 *
 *     none ── request ──▶ one token request, all wait ──▶ valid ── due ──▶ valid, replaced in the background
 *                                │ failed                   │ 401, or expired
 *                                ▼                          ▼
 *                         503 until the backoff ends       none
 *
 * It has no timer: the next request triggers whatever is due.
 */
export class TokenCache {
  /** The current token; its sensitive values include the former ones. Empty at first. */
  readonly token: Secret
  readonly #values: readonly Secret[]
  readonly #obtain: ObtainToken
  #current: { readonly at: number; readonly lifeMs: number; readonly madeOf: string } | null = null
  #known: readonly { readonly text: string; readonly until: number }[] = []
  #pending: Promise<string | TokenError> | null = null
  #failure: (TokenError & { readonly at: number; readonly waitMs: number; readonly madeOf: string }) | null =
    null
  #dropped: { readonly at: number; readonly graceMs: number } | null = null

  /**
   * @param name   text that logs show instead of the token
   * @param values secrets used in the token request: after one of them changes, the token is replaced
   */
  constructor(name: string, values: readonly Secret[], obtain: ObtainToken) {
    this.token = new Secret(name, '', [])
    this.#values = values
    this.#obtain = obtain
  }

  /** The current token, or the promise of a new one. Never rejects. */
  get(tools: CredentialTools): string | TokenError | Promise<string | TokenError> {
    const now = tools.now()
    const current = this.#current
    if (current === null || passed(current.at, current.lifeMs - MARGIN_MS, now)) {
      return this.#recentFailure(now) ?? this.#refresh(tools)
    }
    const ahead = Math.max(current.lifeMs * AHEAD_PART, Math.min(AHEAD_MS, current.lifeMs / 2))
    const due = passed(current.at, current.lifeMs - ahead, now) || current.madeOf !== this.#versions()
    if (due && this.#recentFailure(now) === null) void this.#refresh(tools)
    return this.token.reveal()
  }

  /** Reports that the upstream rejected this token. Has no effect if the token has been replaced in the meantime. */
  refuse(value: string, now: number): void {
    if (this.#current === null || value !== this.token.reveal()) return
    const before = this.#dropped
    if (before !== null && !passed(before.at, before.graceMs, now)) return
    const graceMs = before === null ? INITIAL_BACKOFF_MS : Math.min(before.graceMs * 2, MAX_BACKOFF_MS)
    this.#dropped = { at: now, graceMs }
    this.#current = null
  }

  #recentFailure(now: number): TokenError | null {
    const failure = this.#failure
    if (failure === null || failure.madeOf !== this.#versions()) return null
    return passed(failure.at, failure.waitMs, now) ? null : { problem: failure.problem }
  }

  #refresh(tools: CredentialTools): Promise<string | TokenError> {
    this.#pending ??= this.#requestToken(tools).finally(() => (this.#pending = null))
    return this.#pending
  }

  async #requestToken(tools: CredentialTools): Promise<string | TokenError> {
    const at = tools.now()
    const madeOf = this.#versions()
    const obtained = await this.#obtain(tools).catch(errorOf)
    if ('problem' in obtained) {
      const before = this.#failure
      const waitMs = before === null ? INITIAL_RETRY_MS : Math.min(before.waitMs * 2, MAX_RETRY_MS)
      this.#failure = { problem: obtained.problem, at: tools.now(), waitMs, madeOf }
      return obtained
    }
    this.#failure = null
    // The previous token was replaced in time, so earlier rejections no longer count.
    if (this.#current !== null) this.#dropped = null
    this.#current = { at, lifeMs: obtained.lifeMs, madeOf }
    this.#keep(obtained, at)
    return obtained.value
  }

  /** Threat: an upstream that keeps a token and returns it later, while it is still valid. */
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

/** Whether a time span is over. If the clock was set back, it counts as over, because the rest is unknown. */
function passed(since: number, spanMs: number, now: number): boolean {
  return now < since || now - since >= spanMs
}

function errorOf(error: unknown): TokenError {
  if (error instanceof TokenRequestError) return { problem: error.message }
  return { problem: `Could not create the token (${codeOf(error)})` }
}
