import { join } from 'node:path'
import type { SecretRotationEvent } from '#config/secrets/secret-refresher.js'
import type { DnsEvent } from '#dns/events.js'
import type { HttpClose, HttpDecision } from '#proxy/contracts/events.js'
import type { GatewayEvent, PolicyEvent, SandboxEvent } from '../events/events.js'
import { recordLine } from '../events/records.js'
import type { EventSink } from '../events/sink.js'
import { AuditFile } from './audit-file.js'
import { Timestamps } from './timestamps.js'

/** Files of one gateway, by role. */
export const AUDIT_ROLES = ['dns', 'http', 'sandbox'] as const
export type AuditRole = (typeof AUDIT_ROLES)[number]

export interface AuditOptions {
  readonly directory: string
  /** Name of this gateway process, in every record. */
  readonly gateway: string
  readonly now: () => number
  /** Called once when the log stops working, and once when it works again. */
  readonly onChange: (message: string) => void
  /** The files that this process writes (default: all). Files of other processes are not opened. */
  readonly roles?: readonly AuditRole[]
  /** Receive every event after its record is written. */
  readonly sinks?: readonly EventSink[]
}

/**
 * The audit log of one gateway. If a decision cannot be written, the call throws or rejects, and the request must not pass. If
 * the end of a request cannot be written, it is counted and reported later, because the request is already over.
 */
export class Audit {
  readonly #files: ReadonlyMap<AuditRole, Log>
  readonly #sinks: readonly EventSink[]

  constructor(options: AuditOptions) {
    const { roles = AUDIT_ROLES, sinks = [] } = options
    this.#sinks = sinks
    this.#files = new Map(roles.map((role) => [role, new Log(role, options)]))
  }

  /** Calls `done` with null when the record is in the file, or with the AuditUnavailable that prevented it. */
  readonly dns = (event: DnsEvent, done: (error: Error | null) => void): void => {
    this.#file('dns').write({ at: event.time, event: { type: 'query', event }, settle: done })
  }

  /** Resolves once the record is in the file. Rejects with AuditUnavailable. */
  readonly decide = (event: HttpDecision): Promise<void> =>
    new Promise((resolve, reject) => {
      this.#file('http').write({
        at: event.at,
        event: { type: 'decision', event },
        settle: (error) => (error === null ? resolve() : reject(error)),
      })
    })

  readonly close = (event: HttpClose): void => {
    this.#file('http').writeOrCount(event.at, { type: 'close', event })
  }

  readonly rotation = (event: SecretRotationEvent): void => {
    this.#file('http').writeOrCount(event.at, { type: 'rotation', event })
  }

  /** @throws AuditUnavailable */
  readonly sandbox = (event: SandboxEvent): void => {
    this.#file('sandbox').writeNow(event.at, { type: 'sandbox', event })
  }

  /** Written to the HTTP log, or to the DNS log if this process is only a resolver. @throws AuditUnavailable */
  readonly policy = (event: PolicyEvent): void => {
    this.#file(this.#files.has('http') ? 'http' : 'dns').writeNow(event.at, { type: 'policy', event })
  }

  end(): void {
    for (const log of this.#files.values()) log.end()
    for (const sink of this.#sinks) sink.end()
  }

  #file(role: AuditRole): Log {
    const log = this.#files.get(role)
    if (log === undefined) throw new Error(`this process keeps no ${role} log`)
    return log
  }
}

/** A record that is not yet in the file. */
interface Waiting {
  readonly at: number
  readonly event: GatewayEvent
  /** Called with null when the record is in the file, otherwise with the error. */
  readonly settle: (error: Error | null) => void
}

/**
 * One role's file with its counter. Records of one turn of the event loop are written together, because one write costs as
 * much as all other work of a small request.
 */
class Log {
  readonly #options: AuditOptions
  readonly #file: AuditFile
  readonly #timestamps = new Timestamps()
  #waiting: Waiting[] = []
  /** Number of records in this turn, and whether the previous turn had at most one. */
  #turn = 0
  #calm = true
  #sequence = 0
  #lost = 0
  #failing = false

  constructor(role: AuditRole, options: AuditOptions) {
    this.#options = options
    this.#file = new AuditFile(join(options.directory, `${role}.ndjson`))
  }

  write(waiting: Waiting): void {
    this.#waiting.push(waiting)
    this.#turn += 1
    if (this.#turn > 1) return
    setImmediate(() => this.#endTurn())
    // At low load, write the first record of a turn immediately.
    if (this.#calm) this.#flush()
  }

  writeOrCount(at: number, event: GatewayEvent): void {
    this.write({ at, event, settle: (error) => (this.#lost += error === null ? 0 : 1) })
  }

  /** @throws AuditUnavailable */
  writeNow(at: number, event: GatewayEvent): void {
    this.#waiting.push({ at, event, settle: () => undefined })
    const failure = this.#flush()
    if (failure !== null) throw failure
  }

  end(): void {
    this.#flush()
    if (this.#lost > 0) this.#append([])
    this.#file.close()
  }

  #endTurn(): void {
    this.#calm = this.#turn <= 1
    this.#turn = 0
    this.#flush()
  }

  #flush(): Error | null {
    const batch = this.#waiting
    if (batch.length === 0) return null
    this.#waiting = []
    const failure = this.#append(batch)
    for (const { settle } of batch) settle(failure)
    if (failure !== null && !this.#failing) this.#options.onChange(failure.message)
    if (failure === null && this.#failing) {
      this.#options.onChange('The audit log is writable again. Traffic resumes')
    }
    this.#failing = failure !== null
    return failure
  }

  /** Writes all records or none. If closing records were lost, their number is recorded first. */
  #append(batch: readonly Waiting[]): Error | null {
    const { gateway: observer, now, sinks = [] } = this.#options
    const events: Pick<Waiting, 'at' | 'event'>[] = [...batch]
    if (this.#lost > 0) {
      const at = now()
      events.unshift({ at, event: { type: 'gap', event: { at, lost: this.#lost } } })
    }
    const times = events.map(({ at }) => this.#timestamps.format(at))
    const lines = events.map(({ event }, index) =>
      recordLine({ time: times[index] ?? '', sequence: this.#sequence + index, observer }, event),
    )
    try {
      this.#file.append(lines)
    } catch (error) {
      return error as Error
    }
    this.#sequence += events.length
    this.#lost = 0
    for (const sink of sinks) events.forEach(({ event }, index) => sink.take(times[index] ?? '', event))
    return null
  }
}
