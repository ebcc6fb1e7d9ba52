/** An error in something that the operator wrote, such as a line of the policy, and how to fix it. */
export interface Diagnostic {
  /** What is wrong. */
  readonly problem: string
  /** What to do, beginning with a verb. */
  readonly fix: string
}

export function isDiagnostic(value: object): value is Diagnostic {
  return 'problem' in value && 'fix' in value
}
