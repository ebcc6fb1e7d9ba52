import { createPublicKey, verify, type KeyObject } from 'node:crypto'
import { fingerprint } from '../audit/audit-key.js'
import { hashOf, hashOfLines } from '../audit/chain.js'
import { MAX_UNSEALED, SEAL_MS } from '../audit/chained-lines.js'
import type { CheckpointEvent, CheckpointRef } from '../events/events.js'
import { signedText } from '../events/signed-text.js'

/** What is wrong with a log, by the exit code of `egress logs verify`. */
export const FINDINGS = {
  /** A record is not what was written. */
  edited: 10,
  /** Records are missing. */
  gap: 11,
  /** The log does not begin or end as logs do. */
  cut: 12,
  /** Records, or whole files, stand in the place of others. */
  swapped: 13,
  /** A record stands there once more. */
  replayed: 14,
  /** A record of another gateway, or a signature by another key. */
  foreign: 15,
  /** Records that no signature vouches for. */
  unsigned: 16,
} as const
export type FindingKind = keyof typeof FINDINGS

export interface Finding {
  readonly kind: FindingKind
  readonly message: string
}

export interface VerifierOptions {
  readonly role: string
  /** SubjectPublicKeyInfo in base64 of the keys that may sign; null takes the first in the log. */
  readonly keys: readonly string[] | null
  /** Whether the first records may have been deleted, as retention does. */
  readonly mayBeginLate: boolean
  /** Whether the gateway may still be running, or have been killed. */
  readonly mayBeOpen: boolean
}

/** Slack in the time of records, which is that of what they record, in milliseconds. */
const SLACK_MS = 60_000

/** Records that stand where they do not belong, and are not missed where they stand. */
const ASIDE: readonly FindingKind[] = ['swapped', 'replayed', 'foreign']

/** The fields that are checked. */
interface Checked {
  readonly time: number
  readonly sequence: number
  readonly observer: string
  readonly previous: string | null
  readonly checkpoint: Pick<CheckpointEvent, 'role' | 'cause' | 'key' | 'others' | 'torn'> | null
}

/**
 * Checks the lines of one log in the order in which they were written. Lines that were put in, left out, changed or exchanged break
 * the chain of hashes where they are; who makes the hashes anew cannot make the signatures.
 */
export class ChainVerifier {
  readonly #options: VerifierOptions
  #keys: ReadonlyMap<string, KeyObject> | null
  /** The last line: its hash and number, if it is a record. */
  #last: { readonly hash: string; readonly sequence: number } | null = null
  #observer: string | null = null
  /** Numbers that were missing when the last record came: what is one of them stands in the wrong place. */
  #missing: { readonly from: number; readonly to: number } | null = null
  /** What was found at the last record, if it was that others are missing. */
  #gap: Finding | null = null
  /** Lines that are no records, which only a start may follow. */
  #torn: Buffer[] = []
  #unsealed = 0
  #unsealedSince = 0
  #lastCause: CheckpointEvent['cause'] | null = null
  /** Checkpoints by number, for what the other logs say of them. */
  readonly checkpoints = new Map<number, string>()
  /** What this log says of the others. */
  readonly others: CheckpointRef[] = []
  /** The number of the first record. */
  first: number | null = null
  records = 0
  /** Of versions that did not chain their records. */
  unchained = 0
  /** How often a process did not end its log. */
  kills = 0
  key: string | null = null

  constructor(options: VerifierOptions) {
    this.#options = options
    this.#keys = options.keys === null ? null : new Map(options.keys.map((key) => [key, keyObject(key)]))
  }

  /** A verifier that goes on from here by itself. */
  clone(): ChainVerifier {
    const copy = new ChainVerifier(this.#options)
    copy.#keys = this.#keys
    copy.#last = this.#last
    copy.#observer = this.#observer
    copy.#missing = this.#missing
    copy.#gap = this.#gap
    copy.#torn = [...this.#torn]
    copy.#unsealed = this.#unsealed
    copy.#unsealedSince = this.#unsealedSince
    copy.#lastCause = this.#lastCause
    copy.records = this.records
    copy.unchained = this.unchained
    copy.kills = this.kills
    copy.key = this.key
    return copy
  }

  /** How many records at the end have no checkpoint behind them. */
  get unsealed(): number {
    return this.#unsealed
  }

  /** Whether the record may have been deleted by retention. */
  beganAfter(sequence: number): boolean {
    return this.#options.mayBeginLate && this.first !== null && sequence < this.first
  }

  get isEnded(): boolean {
    return this.#lastCause === 'end'
  }

  /** Checks the next line, given without its line feed. */
  push(line: Buffer): Finding[] {
    const text = line.toString('latin1')
    const record = readFast(text) ?? readChecked(line.toString('utf8'))
    if (record === null) {
      this.#torn.push(line)
      return []
    }
    const misplaced = this.#checkPlace(record)
    const findings = this.#settleGap(record, misplaced)
    this.#torn = []
    // What does not belong here is no part of the chain: the next record follows the one before it.
    if (misplaced !== null && ASIDE.includes(misplaced.kind)) return findings
    const wrong = misplaced ?? this.#checkContent(record, line)
    if (misplaced === null && wrong !== null) findings.push(wrong)
    const hash = hashOf(line)
    this.#last = { hash, sequence: record.sequence }
    this.#count(record, hash)
    return findings
  }

  /** The log ends here. */
  end(): Finding[] {
    const findings = this.#settleGap(null, null)
    const { mayBeOpen } = this.#options
    if (this.#torn.length > 0 && !mayBeOpen)
      findings.push(found('edited', `${this.#at()} stands what is no record`))
    if (this.records === 0) return findings
    if (this.key === null) findings.push(found('unsigned', 'no record is signed'))
    else if (this.unchained > 0)
      findings.push(
        found('unsigned', `${String(this.unchained)} records are of a version that signed nothing`),
      )
    if (this.key === null || this.isEnded || mayBeOpen) return findings
    const after = this.#last === null ? '' : ` after record ${String(this.#last.sequence)}`
    return [...findings, found('cut', `it stops${after}: cut, killed, or still being written (--open)`)]
  }

  /** A gap is only one if what is missing does not stand behind it. */
  #settleGap(record: Checked | null, misplaced: Finding | null): Finding[] {
    const gap = this.#gap
    this.#gap = misplaced?.kind === 'gap' ? misplaced : null
    const now = misplaced === null || misplaced.kind === 'gap' ? [] : [misplaced]
    return gap === null || (record !== null && misplaced?.kind === 'swapped') ? now : [gap, ...now]
  }

  /** What a record in its place is not as it must be. */
  #checkContent({ checkpoint, observer, sequence, time }: Checked, line: Buffer): Finding | null {
    const number = String(sequence)
    if (checkpoint !== null) {
      const { role, key } = checkpoint
      return (
        this.#checkSignature(line.toString('utf8'), sequence, key) ??
        (role === this.#options.role ? null : found('swapped', `record ${number} is of the ${role} log`))
      )
    }
    if (this.key === null) return null
    if (observer !== this.#observer)
      return found('foreign', `record ${number} is of ${observer}, the log of ${this.#observer ?? 'nobody'}`)
    if (this.isEnded) return found('foreign', `record ${number} stands behind the end`)
    const isLate = this.#unsealed > 0 && time - this.#unsealedSince > SEAL_MS + SLACK_MS
    if (this.#unsealed < MAX_UNSEALED && !isLate) return null
    const first = String(sequence - this.#unsealed)
    return found('unsigned', `records ${first} to ${number} have no signature behind them, where one must be`)
  }

  /** Whether the record follows the one before it. */
  #checkPlace({ sequence, previous, checkpoint, observer }: Checked): Finding | null {
    const number = String(sequence)
    if ((checkpoint?.torn ?? null) !== hashOfLines(this.#torn))
      return found('edited', `${this.#at()} stands what is no record, or what a crash left is gone`)
    if (this.#last === null) {
      if ((previous === null && sequence === 0) || this.#options.mayBeginLate) return null
      return found('cut', `it begins with record ${number}: those before it are not here`)
    }
    // Of an older version: nothing binds it.
    if (previous === null && this.key === null && checkpoint === null) return null
    const { hash, sequence: last } = this.#last
    if (previous === hash && sequence === last + 1) return null
    if (this.#observer !== null && observer !== this.#observer)
      return found('foreign', `record ${number} is of ${observer}, the log of ${this.#observer}`)
    const missing = this.#missing
    if (missing !== null && sequence >= missing.from && sequence <= missing.to)
      return found('swapped', `record ${number} stands behind record ${String(last)}`)
    if (sequence === last + 1)
      return found('edited', `record ${String(last)} was changed, or the hash of it in record ${number}`)
    if (sequence <= last) return found('replayed', `record ${number} stands again, behind ${String(last)}`)
    this.#missing = { from: last + 1, to: sequence - 1 }
    const which =
      sequence === last + 2
        ? `record ${String(last + 1)} is`
        : `records ${String(last + 1)} to ${String(sequence - 1)} are`
    return found('gap', `${which} missing`)
  }

  #checkSignature(line: string, sequence: number, key: string): Finding | null {
    const signed = signedText(line)
    const number = String(sequence)
    if (this.#keys === null) {
      const first = tryKey(key)
      if (first === null) return found('foreign', `record ${number} has no key that can be read`)
      this.#keys = new Map([[key, first]])
    }
    const object = this.#keys.get(key)
    if (object === undefined)
      return found('foreign', `record ${number} was signed by another key, ${fingerprint(key)}`)
    if (
      signed === null ||
      !verify(null, Buffer.from(signed.text), object, Buffer.from(signed.signature, 'base64'))
    )
      return found('edited', `record ${number}, a signature, was changed`)
    return null
  }

  #count({ time, observer, previous, checkpoint, sequence }: Checked, hash: string): void {
    this.records += 1
    this.first ??= sequence
    if (checkpoint === null) {
      if (previous === null && this.key === null) this.unchained += 1
      if (this.#unsealed === 0) this.#unsealedSince = time
      this.#unsealed += 1
      return
    }
    if (checkpoint.cause === 'start') {
      if (this.key !== null && this.#lastCause !== 'end') this.kills += 1
      this.#observer = observer
    }
    this.#observer ??= observer
    this.key ??= checkpoint.key
    this.#lastCause = checkpoint.cause
    this.#unsealed = 0
    this.checkpoints.set(sequence, hash)
    this.others.push(...checkpoint.others)
  }

  #at(): string {
    return this.#last === null ? 'at the beginning' : `behind record ${String(this.#last.sequence)}`
  }
}

/** What the logs of one directory say of each other. A log that was cut or exchanged as a whole lacks what the others saw in it. */
export function compareLogs(logs: ReadonlyMap<string, ChainVerifier>): Finding[] {
  return [...logs].flatMap(([role, log]) =>
    log.others.flatMap((seen) => {
      const other = logs.get(seen.role)
      if (other?.checkpoints.get(seen.sequence) === seen.hash) return []
      if (other?.beganAfter(seen.sequence) === true) return []
      const what = `record ${String(seen.sequence)} of the ${seen.role} log, which the ${role} log saw,`
      return other?.checkpoints.has(seen.sequence) === true
        ? found('swapped', `${what} is another one`)
        : found('cut', `${what} is not there`)
    }),
  )
}

function found(kind: FindingKind, message: string): Finding {
  return { kind, message }
}

function keyObject(key: string): KeyObject {
  return createPublicKey({ key: Buffer.from(key, 'base64'), format: 'der', type: 'spki' })
}

function tryKey(key: string): KeyObject | null {
  try {
    return keyObject(key)
  } catch {
    return null
  }
}

/**
 * The fields of a record as this program writes it, without parsing what is between them, which takes most of the time of a
 * verification. JSON escapes quotes, so that none of these can be a part of a text. Null for every other line.
 */
const WRITTEN =
  /^\{"@timestamp":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)","ecs":\{"version":"[\d.]+"\},"observer":\{"name":"([ !#-[\]-~]*)","type":"firewall"\},"event":\{"kind":"event",[^{}]{0,2000}"sequence":(\d{1,15})\}/
const ENDING = /,"previous":"([0-9a-f]{64})"\}\}$/

function readFast(text: string): Checked | null {
  const previous = ENDING.exec(text.slice(-82))?.[1]
  if (previous === undefined) return null
  const [, time = '', observer = '', sequence = ''] = WRITTEN.exec(text) ?? []
  if (sequence === '' || text.includes('"audit-checkpoint"')) return null
  return { time: Date.parse(time), sequence: Number(sequence), observer, previous, checkpoint: null }
}

/** Null for what is no record. */
function readChecked(line: string): Checked | null {
  let record: Record<string, unknown> | null
  try {
    record = JSON.parse(line) as Record<string, unknown> | null
  } catch {
    return null
  }
  const event = objectIn(record, 'event')
  const egress = objectIn(record, 'egress')
  const { sequence, action } = event
  const { previous, checkpoint } = egress
  const time = Date.parse(String(record?.['@timestamp']))
  if (typeof sequence !== 'number' || Number.isNaN(time)) return null
  return {
    ...{ time, sequence, observer: String(objectIn(record, 'observer')['name']) },
    previous: typeof previous === 'string' ? previous : null,
    checkpoint: action === 'audit-checkpoint' ? readCheckpoint(checkpoint) : null,
  }
}

function readCheckpoint(value: unknown): Checked['checkpoint'] {
  const { role, cause, key, others, torn } = objectIn({ value }, 'value')
  return {
    role: String(role),
    cause: cause as CheckpointEvent['cause'],
    key: String(key),
    torn: typeof torn === 'string' ? torn : null,
    others: Array.isArray(others)
      ? others.map((other: unknown) => {
          const { role, sequence, hash } = objectIn({ other }, 'other')
          return { role: String(role), sequence: Number(sequence), hash: String(hash) }
        })
      : [],
  }
}

function objectIn(value: Record<string, unknown> | null, key: string): Record<string, unknown> {
  const inner = value?.[key]
  return typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>) : {}
}
