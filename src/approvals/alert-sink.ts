import type { SandboxRef } from '#firewall/contracts/identity.js'
import type { Secret } from '#firewall/secrets/secret.js'
import type { GatewayEvent } from '../events/events.js'
import type { EventSink } from '../events/sink.js'
import type { LogLine } from '../logs/read.js'
import { WebhookSender } from './webhook.js'

/** Milliseconds in which a sandbox sends one alert for one reason; those between are counted in the next. */
const QUIET_MS = 60_000

/** Sandboxes and reasons that are told apart. */
const MAX_KNOWN = 1_000

/** What looks as if somebody tries to carry data or credentials out. */
const REASONS: ReadonlySet<string> = new Set(['placeholder-misplaced', 'name-looks-encoded', 'name-budget'])

export interface AlertOptions {
  readonly url: string
  readonly secret: Secret
  readonly now: () => number
  /** For the program's log. */
  readonly warn: (message: string) => void
}

interface Asked {
  readonly verdict: 'allow' | 'deny'
  readonly reason: string | null
  readonly suspicious: boolean
  readonly host: string | null
  readonly method: string | null
  readonly path: string | null
  readonly request: string | null
}

/** Tells a webhook of what looks like an attack, as it happens: signed, tried again, and bounded whatever a sandbox does. */
export class AlertSink implements EventSink {
  readonly #options: AlertOptions
  readonly #sender: WebhookSender
  readonly #known = new Map<string, { until: number; suppressed: number }>()

  constructor(options: AlertOptions) {
    this.#options = options
    const { now, warn } = options
    this.#sender = new WebhookSender({ now, warn, what: 'alerts' })
  }

  take(time: string, { type, event }: GatewayEvent): void {
    if (type === 'query') {
      const { name = null, type: method = null } = event.question ?? {}
      const { verdict, reason, suspicious } = event
      this.#consider(time, event.sandbox, {
        verdict,
        reason,
        suspicious,
        host: name,
        method,
        path: null,
        request: null,
      })
    }
    if (type !== 'decision') return
    const { verdict, reason, host, method, path, id: request } = event
    this.#consider(time, event.sandbox, { verdict, reason, suspicious: false, host, method, path, request })
  }

  /** A query that another process has recorded: a resolver of its own has no way out. */
  takeRecorded({ time, sandbox, agent, labels, shown }: LogLine): void {
    if (shown.type !== 'query') return
    const { name = null, type: method = null } = shown.event.question ?? {}
    const { verdict, reason, suspicious } = shown.event
    const who = sandbox === null ? null : { id: sandbox, agent: agent ?? '', labels: labels.map(String) }
    this.#consider(time, who, { verdict, reason, suspicious, host: name, method, path: null, request: null })
  }

  #consider(time: string, sandbox: SandboxRef | null, { verdict, suspicious, ...asked }: Asked): void {
    const reason = suspicious ? 'name-looks-encoded' : asked.reason
    if (verdict !== 'deny' || reason === null || !REASONS.has(reason)) return
    const { id = null, agent = null, labels = [] } = sandbox ?? {}
    const suppressed = this.#admit(`${id ?? ''} ${reason}`)
    if (suppressed === null) return
    const { url, secret } = this.#options
    const message = { type: 'alert', time, ...asked, reason, sandbox: { id, agent, labels }, suppressed }
    this.#sender.send({ url, secret }, message)
  }

  end(): void {
    this.#sender.close()
  }

  /** How many were not sent since the last one; null for one that is not sent either. */
  #admit(key: string): number | null {
    const now = this.#options.now()
    const known = this.#known.get(key)
    if (known !== undefined && now < known.until) {
      known.suppressed += 1
      return null
    }
    if (this.#known.size >= MAX_KNOWN)
      for (const [old, { until }] of this.#known) if (until <= now) this.#known.delete(old)
    if (known === undefined && this.#known.size >= MAX_KNOWN) return null
    this.#known.set(key, { until: now + QUIET_MS, suppressed: 0 })
    return known?.suppressed ?? 0
  }
}
