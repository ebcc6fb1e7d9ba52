import type { Diagnostic } from '#firewall/names/host-pattern.js'

/** One thing that is wrong with a policy, where it stands, and what to write instead. */
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

/** Where a value stands in the policy: `['services', 'jira', 'rules', 0]`. */
export type Path = readonly (string | number)[]

/** `egress.yaml:12:9: what is wrong`, and on a second line what to write instead. */
export function formatIssue({ file, line, column, problem, fix }: PolicyIssue): string {
  return `${file}:${line}:${column}: ${problem}\n  ${fix}`
}

/** A policy that cannot be used, with everything that is wrong with it. */
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
  readonly #claimed = new Set<string>()

  constructor(file: string, locate: (path: Path, part: 'key' | 'value') => SourcePosition) {
    this.#file = file
    this.#locate = locate
  }

  /** @param part whether the key or the value at the path is at fault */
  add(path: Path, { problem, fix }: Diagnostic, part: 'key' | 'value' = 'value'): void {
    const position = this.#locate(path, part)
    if (!this.#claimed.has(`${position.line}:${position.column}`)) this.addAt(position, { problem, fix })
  }

  /** Adds an issue that says all there is to say about its place: what follows from it is not reported. */
  addFinal(path: Path, diagnostic: Diagnostic, part: 'key' | 'value'): void {
    this.add(path, diagnostic, part)
    const { line, column } = this.#locate(path, part)
    this.#claimed.add(`${line}:${column}`)
  }

  addAt({ line, column }: SourcePosition, { problem, fix }: Diagnostic, file = this.#file): void {
    this.#issues.push({ file, line, column, problem, fix })
  }

  position(path: Path): SourcePosition {
    return this.#locate(path, 'value')
  }

  get size(): number {
    return this.#issues.length
  }

  /** All issues in the order of the files, without repetition. */
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
