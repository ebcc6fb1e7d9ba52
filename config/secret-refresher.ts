import { setTimeout as sleep } from 'node:timers/promises'
import type { Diagnostic } from '#firewall/names/host-pattern.js'
import type { Secret } from '#firewall/secrets/secret.js'
import { checkTogether, type CredentialInputs } from './credential.js'
import { redactMessage } from './redact-message.js'
import type { SecretValues } from './secrets.js'
import { readSource, type SecretSource, type SourceKind } from './sources/source.js'
import { renderTemplate, type Rendered } from './template.js'

/** After a failure a source is asked again this soon, or when it is due, whichever comes first. Milliseconds. */
const RETRY_MS = 30_000

/** A secret has a new value, or has kept its last good one because there is something wrong. */
export interface SecretRotationEvent {
  /** Milliseconds since 1970. */
  readonly at: number
  /** Name of the secret. */
  readonly secret: string
  /** Where it comes from. */
  readonly source: SourceKind
  /** What was wrong, without any value; null when all is well. */
  readonly problem: string | null
  /** What to do about it. */
  readonly fix: string | null
}

export interface RefresherOptions {
  readonly now: () => number
  /** Told of every change, of every new kind of failure, and of the end of one. */
  readonly report: (event: SecretRotationEvent) => void
}

/** Keeps the secrets of a loaded policy up to date. A new value counts for requests that begin after it. */
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

  /** Begins. The function that it returns ends it; until then nothing here keeps the process alive. */
  start(options: RefresherOptions): () => void {
    const stop = new AbortController()
    for (const source of this.#sources) {
      if (source.refreshMs !== null) void this.#keep(source, source.refreshMs, options, stop.signal)
    }
    return () => stop.abort()
  }

  async #keep(
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
      // What a stopped read says is of no interest to anybody.
      if (stopped(signal)) return
      const before = this.#values.lookUp(source.name, true)
      const diagnostic =
        typeof value !== 'string' ? value : value === before ? null : this.#replace(source.name, value)
      const problem = diagnostic === null ? null : redactMessage(diagnostic.problem, this.#values.seen)
      const changed = problem === null && value !== before
      if (changed || problem !== failing) {
        const fix = diagnostic === null ? null : redactMessage(diagnostic.fix, this.#values.seen)
        report({ at: now(), secret: source.name, source: source.kind, problem, fix })
      }
      failing = problem
    }
  }

  #current(name: string): string {
    const value = this.#values.lookUp(name, true)
    return typeof value === 'string' ? value : ''
  }

  /** Gives every credential the new value, or none of them: then the last good one stays. */
  #replace(name: string, value: string): Diagnostic | null {
    const before = this.#current(name)
    this.#values.put(name, value)
    const diagnostic = this.#renew(name)
    if (diagnostic !== null) this.#values.put(name, before)
    return diagnostic
  }

  #renew(name: string): Diagnostic | null {
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
    for (const { secret, rendered } of rotated) secret.rotate(rendered.text, rendered.sensitive)
    return null
  }
}

/** Asked anew, for it changes while others wait. */
function stopped({ aborted }: AbortSignal): boolean {
  return aborted
}
