import type { Diagnostic } from '#firewall/contracts/diagnostic.js'

/** One error in a policy, with its position and how to fix it. */
export interface PolicyIssue {
  /** File as the user named it. */
  readonly file: string
  /** Counted from 1. */
  readonly line: number
  /** Counted from 1. */
  readonly column: number
  readonly problem: string
  readonly fix: string
}

export interface SourcePosition {
  readonly line: number
  readonly column: number
}

/** The place of a value in the policy: `['services', 'jira', 'rules', 0]`. */
export type Path = readonly (string | number)[]

/** `egress.yaml:12:9: Problem`, and the fix on a second line. */
export function formatIssue({ file, line, column, problem, fix }: PolicyIssue): string {
  return `${file}:${line}:${column}: ${problem}\n  ${fix}`
}

/** An invalid policy, with all of its errors. */
export class PolicyError extends Error {
  readonly code = 'EGRESS_POLICY'
  readonly issues: readonly PolicyIssue[]

  constructor(issues: readonly PolicyIssue[]) {
    super(issues.map(formatIssue).join('\n'))
    this.name = 'PolicyError'
    this.issues = issues
  }
}

/** Collects issues while a policy is read, so that all of them are reported together. */
export class IssueList {
  readonly #file: string
  readonly #locate: (path: Path, part: 'key' | 'value') => SourcePosition
  readonly #issues: PolicyIssue[] = []
  readonly #warnings = new Map<string, PolicyIssue>()
  readonly #claimed = new Set<string>()

  constructor(file: string, locate: (path: Path, part: 'key' | 'value') => SourcePosition) {
    this.#file = file
    this.#locate = locate
  }

  /** @param part whether the position is that of the key or of the value at the path */
  add(path: Path, { problem, fix }: Diagnostic, part: 'key' | 'value' = 'value'): void {
    const position = this.#locate(path, part)
    if (!this.#claimed.has(`${position.line}:${position.column}`)) this.addAt(position, { problem, fix })
  }

  /** Adds an issue, and ignores later ones at the same position, which only follow from it. */
  addFinal(path: Path, diagnostic: Diagnostic, part: 'key' | 'value'): void {
    this.add(path, diagnostic, part)
    const { line, column } = this.#locate(path, part)
    this.#claimed.add(`${line}:${column}`)
  }

  addAt({ line, column }: SourcePosition, { problem, fix }: Diagnostic, file = this.#file): void {
    this.#issues.push({ file, line, column, problem, fix })
  }

  /** Adds something to look at that is no error. Each problem is reported once, at its first position. */
  warn(path: Path, diagnostic: Diagnostic): void {
    this.warnAt(this.#locate(path, 'value'), diagnostic)
  }

  warnAt({ line, column }: SourcePosition, { problem, fix }: Diagnostic, file = this.#file): void {
    if (!this.#warnings.has(problem)) this.#warnings.set(problem, { file, line, column, problem, fix })
  }

  get warnings(): readonly PolicyIssue[] {
    return [...this.#warnings.values()]
  }

  position(path: Path): SourcePosition {
    return this.#locate(path, 'value')
  }

  get size(): number {
    return this.#issues.length
  }

  /** All issues in the order of the files, without duplicates. */
  sorted(): PolicyIssue[] {
    const unique = new Map(this.#issues.map((issue) => [formatIssue(issue), issue]))
    return [...unique.values()].sort(
      (a, b) =>
        Number(a.file !== this.#file) - Number(b.file !== this.#file) ||
        a.line - b.line ||
        a.column - b.column,
    )
  }
}
