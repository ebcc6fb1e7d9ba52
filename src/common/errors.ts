/** Exit codes of every command except `run`, which exits with the code of the command in the sandbox. */
export const EXIT = { fine: 0, failed: 1, usage: 2 } as const

/** The two lines that an error prints: what is wrong, and what to do about it. */
export interface Explanation {
  readonly problem: string
  readonly fix: string
}

interface EgressErrorOptions extends Explanation {
  /** Stable name for programs: `EGRESS_…`. */
  readonly code: string
  /** Exit code of the command (default: 2, usage or configuration). */
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
 * A mistake in a command's words, or in what asks for a command.
 *
 * @param exitCode 125 for `egress run`, whose own codes no command uses
 */
export function usage(problem: string, fix: string, exitCode: number = EXIT.usage): EgressError {
  return new EgressError({ code: 'EGRESS_USAGE', problem, fix, exitCode })
}

/**
 * The one place that turns an error into text for the user. An error with a problem and a fix, from whatever folder, is
 * printed in two lines. A policy error brings its own text. Any other error is a bug in the program: only its message is
 * shown.
 */
export function formatError(error: unknown): string {
  if (isExplained(error)) return `egress: ${error.problem}\n  ${error.fix}\n`
  if (isPolicyError(error)) return `${error.message}\n`
  const message = error instanceof Error ? error.message : String(error)
  return `egress: Internal error: ${message}\n  Please report this bug. Nothing was let through.\n`
}

/** 2 if the user can fix the arguments or the configuration, otherwise 1. */
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
