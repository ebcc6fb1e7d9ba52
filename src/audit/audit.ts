import { join } from 'node:path'
import type { SecretRotationEvent } from '#config/secrets/secret-refresher.js'
import type { DnsEvent } from '#dns/events.js'
import type { HttpClose, HttpDecision } from '#proxy/contracts/events.js'
import type {
  ApprovalEvent,
  CheckpointEvent,
  CheckpointRef,
  GatewayEvent,
  OperatorEvent,
  PolicyEvent,
  ProcessEvent,
  SandboxEvent,
} from '../events/events.js'
import type { EventSink } from '../events/sink.js'
import { AuditFile, AuditLost } from './audit-file.js'
import type { AuditKey } from './audit-key.js'
import { chainEndOf } from './chain.js'
import { ChainedLines, SEAL_MS, type Dated, type Draft } from './chained-lines.js'
import { DEFAULT_DENIAL_BUDGET, DenialFolder, type DenialBudget, type Denied } from './denial-folder.js'

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
  /** What happens when a file was moved, replaced or cut by somebody else (default: `stop`). */
  readonly whenLost?: 'stop' | 'reopen'
  /** How many denials of one sandbox have a record each. */
  readonly denialBudget?: DenialBudget
  /** Signs the log; without one, its records are chained, and nobody vouches for the chain. */
  readonly key?: AuditKey
  /** Receives the line of each checkpoint that is in the file. Must not throw. */
  readonly anchor?: (line: string) => void
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
    const others = (own: AuditRole) =>
      [...this.#files].flatMap(([role, log]) => (role === own ? [] : (log.lastCheckpoint ?? [])))
    this.#files = new Map(roles.map((role) => [role, new Log(role, options, () => others(role))]))
  }

  /** Calls `done` with null when the record is in the file, or with the AuditUnavailable that prevented it. */
  readonly dns = (event: DnsEvent, done: (error: Error | null) => void): void => {
    const waiting: Waiting = { at: event.time, event: { type: 'query', event }, settle: done }
    if (event.verdict === 'allow') this.#file('dns').write(waiting)
    else this.#file('dns').deny(deniedQuery(event), waiting)
  }

  /** Resolves once the record is in the file. Rejects with AuditUnavailable. */
  readonly decide = (event: HttpDecision): Promise<void> =>
    new Promise((resolve, reject) => {
      const waiting: Waiting = {
        at: event.at,
        event: { type: 'decision', event },
        settle: (error) => (error === null ? resolve() : reject(error)),
      }
      if (event.verdict === 'allow') this.#file('http').write(waiting)
      else this.#file('http').deny(deniedRequest(event), waiting)
    })

  readonly close = (event: HttpClose): void => {
    this.#file('http').writeOrCount(event.at, { type: 'close', event })
  }

  /** In the file when this returns, so that a new value has its record before it is used. @throws AuditUnavailable */
  readonly rotation = (event: SecretRotationEvent): void => {
    this.#file('http').writeNow(event.at, { type: 'rotation', event })
  }

  /** @throws AuditUnavailable */
  readonly sandbox = (event: SandboxEvent): void => {
    if (event.action === 'sandbox-end')
      for (const log of this.#files.values()) log.tellRepeats(event.sandbox.id)
    this.#file('sandbox').writeNow(event.at, { type: 'sandbox', event })
  }

  /** In the sandbox log, before it takes effect. @throws AuditUnavailable */
  readonly operator = (event: OperatorEvent): void => {
    this.#file('sandbox').writeNow(event.at, { type: 'operator', event })
  }

  /** Written where `policy` is. @throws AuditUnavailable */
  readonly process = (event: ProcessEvent): void => {
    this.#file(this.#files.has('http') ? 'http' : 'dns').writeNow(event.at, { type: 'process', event })
  }

  /** Written to the HTTP log, or to the DNS log if this process is only a resolver. @throws AuditUnavailable */
  readonly policy = (event: PolicyEvent): void => {
    this.#file(this.#files.has('http') ? 'http' : 'dns').writeNow(event.at, { type: 'policy', event })
  }

  /**
   * In the file when this returns, so that nobody is asked, and nothing approved, without its record. One that ends is counted
   * instead if it cannot be written. @throws AuditUnavailable
   */
  readonly approval = (event: ApprovalEvent): void => {
    if (event.action === 'approval-expired')
      this.#file('http').writeOrCount(event.at, { type: 'approval', event })
    else this.#file('http').writeNow(event.at, { type: 'approval', event })
  }

  /** Records that could not be written since the start. */
  get failures(): number {
    return [...this.#files.values()].reduce((sum, { failures }) => sum + failures, 0)
  }

  /** Why a decision could not be recorded now; null if it could, as far as one can see. */
  problem(): Error | null {
    for (const log of this.#files.values()) {
      const problem = log.problem()
      if (problem !== null) return problem
    }
    return null
  }

  /**
   * For whoever rotates files on a schedule (`logrotate`): closes each file with its checkpoint and begins the next, or begins a new
   * one where it was moved already.
   */
  reopen(): void {
    for (const log of this.#files.values()) log.reopen()
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

function deniedQuery({ time, sandbox, question, reason, rule }: DnsEvent): Denied {
  const { name = null, type = null } = question ?? {}
  return { at: time, sandbox, action: 'dns-query', reason, rule, host: name, method: type }
}

function deniedRequest({ at, sandbox, kind, reason, rule, host, method }: HttpDecision): Denied {
  return { at, sandbox, action: `http-${kind}`, reason, rule, host, method }
}

type Cause = CheckpointEvent['cause']

/** Milliseconds between two records of what was counted of a sandbox. */
const TELL_REPEATS_MS = 5_000

/** A record that is not yet in the file. */
interface Waiting extends Dated {
  /** Called with null when the record is in the file, otherwise with the error. */
  readonly settle: (error: Error | null) => void
  /** Set for a denial. */
  readonly denied?: Denied
}

/**
 * One role's file with its counter. Records of one turn of the event loop are written together, because one write costs as
 * much as all other work of a small request.
 */
class Log {
  readonly #options: AuditOptions
  readonly #file: AuditFile
  readonly #chain: ChainedLines
  #waiting: Waiting[] = []
  /** Number of records in this turn, and whether the previous turn had at most one. */
  #turn = 0
  #calm = true
  #lost = 0
  #failures = 0
  #failing = false
  readonly #folder: DenialFolder
  readonly #timer: NodeJS.Timeout
  readonly #sealTimer: NodeJS.Timeout

  /** @param others the last checkpoints of the other logs */
  constructor(role: AuditRole, options: AuditOptions, others: () => readonly CheckpointRef[]) {
    const { directory, gateway: observer, now, key = null } = options
    this.#options = options
    this.#folder = new DenialFolder(options.denialBudget ?? DEFAULT_DENIAL_BUDGET)
    const end = chainEndOf(directory, role)
    this.#file = new AuditFile(join(directory, `${role}.ndjson`))
    this.#chain = new ChainedLines(end, { role, observer, now, key, others })
    this.#sealTimer = setInterval(() => this.#seal(), SEAL_MS)
    this.#sealTimer.unref()
    this.#timer = setInterval(() => {
      this.tellRepeats()
      this.#folder.forgetIdle(options.now())
    }, TELL_REPEATS_MS)
    this.#timer.unref()
  }

  get failures(): number {
    return this.#failures
  }

  get lastCheckpoint(): CheckpointRef | null {
    return this.#chain.lastCheckpoint
  }

  /** Records a denial, or counts it. While the log cannot be written it is never only counted, so that somebody is told. */
  deny(denied: Denied, waiting: Waiting): void {
    if (!this.#failing && this.#folder.fold(denied)) waiting.settle(null)
    else this.write({ ...waiting, denied })
  }

  /** Records what was counted of a sandbox, or of all. */
  tellRepeats(sandbox?: string): void {
    for (const event of this.#folder.take(sandbox)) this.writeOrCount(event.last, { type: 'repeat', event })
  }

  problem(): Error | null {
    return this.#file.problem()
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

  /** @throws never: what fails is told as what happens to a record */
  reopen(): void {
    const problem = this.#file.problem()
    const failure = problem instanceof AuditLost ? this.#reopen(problem, []) : this.#rotateNow()
    if (failure !== null) this.#options.onChange(failure.message)
  }

  #rotateNow(): Error | null {
    try {
      this.#flush()
      this.#rotate()
      return null
    } catch (error) {
      return error as Error
    }
  }

  end(): void {
    clearInterval(this.#timer)
    clearInterval(this.#sealTimer)
    this.tellRepeats()
    this.#flush()
    if (this.#lost > 0 || this.#chain.hasBegun) this.#append([], 'end')
    this.#file.close()
  }

  /** Signs what has no checkpoint behind it. If it cannot, the next write tells. */
  #seal(): void {
    if (this.#chain.hasUnsealed) this.#append([], 'interval')
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
    if (failure !== null) this.#failures += batch.length
    if (failure !== null && !this.#failing) this.#options.onChange(failure.message)
    if (failure === null && this.#failing) {
      this.#options.onChange('The audit log is writable again. Traffic resumes')
    }
    this.#failing = failure !== null
    return failure
  }

  /**
   * Writes all records or none. If closing records were lost, their number is recorded first.
   *
   * @param cause of a checkpoint behind them
   */
  #append(batch: readonly Waiting[], cause: Cause | null = null, mayReopen = this.#mayReopen): Error | null {
    const { now, sinks = [] } = this.#options
    const events: (Dated & Pick<Waiting, 'denied'>)[] = [...batch]
    if (this.#lost > 0) {
      const at = now()
      events.unshift({ at, event: { type: 'gap', event: { at, lost: this.#lost } } })
    }
    let draft: Draft
    try {
      if (this.#file.isFull) this.#rotate()
      draft = this.#chain.draft(events, cause)
      this.#write(draft)
    } catch (error) {
      return error instanceof AuditLost && mayReopen ? this.#reopen(error, batch) : (error as Error)
    }
    this.#lost = 0
    events.forEach(({ event, denied, at }, index) => {
      const { time = '', line = '' } = draft.written[index] ?? {}
      if (denied !== undefined) this.#folder.spend(denied.sandbox, line.length, at)
      for (const sink of sinks) sink.take(time, event, line)
    })
    return null
  }

  get #mayReopen(): boolean {
    return this.#options.whenLost === 'reopen'
  }

  /** @throws AuditUnavailable */
  #write(draft: Draft): void {
    this.#file.append(draft.lines)
    this.#chain.commit(draft)
    if (this.#options.anchor !== undefined) draft.checkpoints.forEach(this.#options.anchor)
  }

  /** @throws AuditUnavailable, and is called again with the next record */
  #rotate(): void {
    if (!this.#chain.isFileClosed) this.#write(this.#chain.draft([], 'rotation'))
    this.#file.rotate()
  }

  /** Begins a new file, whose first record says so. If this is lost too, traffic stops. */
  #reopen({ loss, message }: AuditLost, batch: readonly Waiting[]): Error | null {
    try {
      this.#file.reopen()
    } catch (error) {
      return error as Error
    }
    this.#options.onChange(`The audit log ${loss}. A new file was begun`)
    const at = this.#options.now()
    const problem = message.split('\n')[0] ?? loss
    const first: Waiting = {
      at,
      event: { type: 'reopened', event: { at, problem } },
      settle: () => undefined,
    }
    return this.#append([first, ...batch], null, false)
  }
}
