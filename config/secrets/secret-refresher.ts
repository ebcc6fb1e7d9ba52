import { setTimeout as sleep } from 'node:timers/promises'
import type { Diagnostic } from '#firewall/contracts/diagnostic.js'
import type { Secret } from '#firewall/secrets/secret.js'
import { checkTogether, type CredentialInputs } from './credential-inputs.js'
import { redactMessage } from '../issues/redact-message.js'
import type { SecretValues } from './secret-values.js'
import { readSource, type SecretSource, type SourceKind } from './sources/source.js'
import { renderTemplate, type Rendered } from './template.js'

/** Milliseconds until a source that failed is read again, unless its refresh interval is shorter. */
const RETRY_MS = 30_000

/** Stands for a problem that was never reported, since the report failed. */
const UNRECORDED = ''

/** A secret has a new value, or kept its previous value because of an error. */
export interface SecretRotationEvent {
  /** Milliseconds since 1970. */
  readonly at: number
  /** Name of the secret. */
  readonly secret: string
  /** Kind of its source. */
  readonly source: SourceKind
  /** The error, without any value; null if there was none. */
  readonly problem: string | null
  /** How to fix it; null if there was no error. */
  readonly fix: string | null
}

export interface RefresherOptions {
  readonly now: () => number
  /**
   * Called for every change before it takes effect, for every new error, and when an error ends. If it throws, the change
   * does not take effect.
   */
  readonly report: (event: SecretRotationEvent) => void
}

/** Keeps the secrets of a loaded policy up to date. Requests that start after a change use the new value. */
export class SecretRefresher {
  readonly #sources: readonly SecretSource[]
  readonly #values: SecretValues
  readonly #credentials: readonly CredentialInputs[]

  constructor(
    sources: readonly SecretSource[],
    values: SecretValues,
    credentials: readonly CredentialInputs[],
  ) {
    this.#sources = sources
    this.#values = values
    this.#credentials = credentials
  }

  /** Starts refreshing, and returns a function that stops it. It does not keep the process alive. */
  start(options: RefresherOptions): () => void {
    const stop = new AbortController()
    for (const source of this.#sources) {
      if (source.refreshMs !== null) void this.#refresh(source, source.refreshMs, options, stop.signal)
    }
    return () => stop.abort()
  }

  async #refresh(
    source: SecretSource,
    refreshMs: number,
    { now, report }: RefresherOptions,
    signal: AbortSignal,
  ): Promise<void> {
    let failing: string | null = null
    for (;;) {
      const wait = failing === null ? refreshMs : Math.min(refreshMs, RETRY_MS)
      await sleep(wait, undefined, { signal, ref: false }).catch(() => undefined)
      if (stopped(signal)) return
      const value = await readSource(source, { now, signal, valueOf: (name) => this.#current(name) })
      // The result of a read that was stopped does not matter.
      if (stopped(signal)) return
      const before = this.#values.lookUp(source.name, true)
      const prepared =
        typeof value !== 'string' ? value : value === before ? null : this.#prepare(source.name, value)
      const commit = typeof prepared === 'function' ? prepared : null
      const diagnostic = typeof prepared === 'function' ? null : prepared
      const problem = diagnostic === null ? null : redactMessage(diagnostic.problem, this.#values.seen)
      const changed = problem === null && value !== before
      if (changed || problem !== failing) {
        const fix = diagnostic === null ? null : redactMessage(diagnostic.fix, this.#values.seen)
        try {
          report({ at: now(), secret: source.name, source: source.kind, problem, fix })
        } catch {
          // Nothing takes effect unrecorded. It is tried again soon.
          failing = UNRECORDED
          continue
        }
      }
      commit?.()
      failing = problem
    }
  }

  #current(name: string): string {
    const value = this.#values.lookUp(name, true)
    return typeof value === 'string' ? value : ''
  }

  /** Returns what gives the new value to every credential; a diagnostic if one of them cannot have it. */
  #prepare(name: string, value: string): Diagnostic | (() => void) {
    const before = this.#current(name)
    this.#values.put(name, value)
    const prepared = this.#render(name)
    this.#values.put(name, before)
    if (typeof prepared !== 'function') return prepared
    return () => {
      this.#values.put(name, value)
      prepared()
    }
  }

  /** With the values as they are now. */
  #render(name: string): Diagnostic | (() => void) {
    const rotated: { readonly secret: Secret; readonly rendered: Rendered }[] = []
    const alone = this.#values.lookUp(name, true)
    if (alone !== null && typeof alone !== 'string') return alone
    for (const { kind, fields } of this.#credentials) {
      if (!fields.some(({ template }) => template.names.includes(name))) continue
      const texts: Record<string, string> = {}
      for (const { key, field, template, secret } of fields) {
        const rendered = renderTemplate(template, field, this.#values)
        if (rendered === null) continue
        if ('problem' in rendered) return rendered
        texts[key] = rendered.text
        rotated.push({ secret, rendered })
      }
      const diagnostic = checkTogether(kind, texts)
      if (diagnostic !== null) return diagnostic
    }
    return () => {
      for (const { secret, rendered } of rotated) secret.rotate(rendered.text, rendered.sensitive)
    }
  }
}

/** A function, so that TypeScript does not assume that the value stays the same across an await. */
function stopped({ aborted }: AbortSignal): boolean {
  return aborted
}
