import type { KnownSecret } from '../servers/known-secrets.js'
import type { Records } from '../servers/messages.js'
import type { InsideReport } from './brief.js'

/** Whether something holds, and what shows it. */
export interface Finding {
  readonly passed: boolean
  /** A few words, never a secret. */
  readonly evidence: string
}

/** What was seen of the host by the one who runs the demo. */
export interface HostObservation {
  /** Paths outside of the sandbox that exist although only an attack would have made them, or that changed. */
  readonly damage: readonly string[]
  /** Names of the files in the work directory, seen from outside. */
  readonly workFiles: readonly string[]
}

/** All that a policy engine goes by. What the attacker's own servers received counts more than what the attack believes. */
export interface Evidence {
  /** What the script inside said; null when it never got to this row. */
  readonly inside: InsideReport | null
  /** What reached the mock servers while the attack ran. */
  readonly during: Records
  /** What reached them in the whole run. */
  readonly whole: Records
  /** All that the sandboxes printed. */
  readonly output: string
  /** The real credentials. */
  readonly knownSecrets: readonly KnownSecret[]
  /** The text that this row tried to get out. */
  readonly marker: KnownSecret
  readonly host: HostObservation
}

export type Judge = (evidence: Evidence) => Finding

/** One line of the attack table: an attack with its control, the nearest allowed thing, which must succeed. */
export interface Row {
  readonly id: string
  readonly title: string
  /** What an attacker would gain, in one sentence. */
  readonly threat: string
  readonly evaluate: Judge
  readonly control: Judge
}

/** A line of the table with its verdict. */
export interface EvaluatedRow {
  readonly id: string
  readonly title: string
  readonly threat: string
  readonly passed: boolean
  readonly evidence: string
  readonly control: Finding
  /** Milliseconds that the attack took. */
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
