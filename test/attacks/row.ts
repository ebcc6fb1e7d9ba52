import type { KnownSecret } from '../servers/known-secrets.js'
import type { Records } from '../servers/messages.js'
import type { InsideReport } from './brief.js'

/** The result of a check, and its evidence. */
export interface Finding {
  readonly passed: boolean
  /** A few words, never a secret. */
  readonly evidence: string
}

/** State of the host, as the demo sees it. */
export interface HostObservation {
  /** Paths outside the sandbox that changed, or that only an attack could have created. */
  readonly damage: readonly string[]
  /** Names of the files in the work directory, seen from outside. */
  readonly workFiles: readonly string[]
}

/** Input of a check. Data that the attacker's servers received counts more than the report of the attack. */
export interface Evidence {
  /** Report of the script inside; null if it did not reach this row. */
  readonly inside: InsideReport | null
  /** Records of the mock servers while the attack ran. */
  readonly during: Records
  /** Their records of the whole run. */
  readonly whole: Records
  /** Output of all sandboxes. */
  readonly output: string
  /** The real credentials. */
  readonly knownSecrets: readonly KnownSecret[]
  /** The text that this row tried to send out. */
  readonly marker: KnownSecret
  readonly host: HostObservation
}

export type Check = (evidence: Evidence) => Finding

/** One row of the attack table: an attack and its control, the most similar allowed action, which must succeed. */
export interface Row {
  readonly id: string
  readonly title: string
  /** The threat, in one sentence. */
  readonly threat: string
  readonly evaluate: Check
  readonly control: Check
  /** Whether requests are what attacks: these rows run over HTTP/1.1 and HTTP/2. */
  readonly hasHttp?: true
}

/** A row of the table with its result. */
export interface EvaluatedRow {
  readonly id: string
  readonly title: string
  readonly threat: string
  readonly passed: boolean
  readonly evidence: string
  readonly control: Finding
  /** Duration of the attack, in milliseconds. */
  readonly durationMs: number
}

export function evaluateRow(row: Row, evidence: Evidence): EvaluatedRow {
  const attack = row.evaluate(evidence)
  const control = row.control(evidence)
  const { id, title, threat } = row
  const { started, ended } = evidence.inside?.attack ?? { started: 0, ended: 0 }
  const passed = attack.passed && control.passed
  return { id, title, threat, passed, evidence: attack.evidence, control, durationMs: ended - started }
}
