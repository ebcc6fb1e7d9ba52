/** Exit codes of every command (`sandbox-run` passes the child's own through instead). */
export const EXIT = { fine: 0, failed: 1, usage: 2 } as const

/** What an error of ours tells people, in two lines: what is wrong, and what to do about it. */
export interface Explanation {
  readonly problem: string
  readonly fix: string
}

interface EgressErrorOptions extends Explanation {
  /** Stable name for programs: `EGRESS_…`. */
  readonly code: string
  /** Exit code of the command; 2 (usage or configuration) unless said otherwise. */
  readonly exitCode?: number
  readonly cause?: unknown
}

/** An error that a command ends with. */
export class EgressError extends Error implements Explanation {
  readonly code: string
  readonly problem: string
  readonly fix: string
  readonly exitCode: number

  constructor({ code, problem, fix, exitCode = EXIT.usage, cause }: EgressErrorOptions) {
    super(problem, { cause })
    this.name = 'EgressError'
    this.code = code
    this.problem = problem
    this.fix = fix
    this.exitCode = exitCode
  }
}

/**
 * The one place that turns an error into what a person sees. Errors with an explanation of their own (also those of
 * folders that do not know this one) are printed in two lines; a policy error brings its whole text; anything else is a
 * fault of the program, of which only the message is shown.
 */
export function formatError(error: unknown): string {
  if (isExplained(error)) return `egress: ${error.problem}\n  ${error.fix}\n`
  if (isPolicyError(error)) return `${error.message}\n`
  const message = error instanceof Error ? error.message : String(error)
  return `egress: internal error: ${message}\n  Please report it; nothing was let through.\n`
}

/** 2 for what the user can mend in arguments or configuration, else 1. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof EgressError) return error.exitCode
  return isExplained(error) || isPolicyError(error) ? EXIT.usage : EXIT.failed
}

function isExplained(error: unknown): error is Error & Explanation {
  return (
    error instanceof Error &&
    'problem' in error &&
    'fix' in error &&
    typeof error.problem === 'string' &&
    typeof error.fix === 'string'
  )
}

function isPolicyError(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && error.code === 'EGRESS_POLICY'
}
