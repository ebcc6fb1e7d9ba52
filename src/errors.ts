/**
 * An error that people are told of: one line says what is wrong, one says what to do. `src/main.ts` prints both and ends
 * with the exit code; nothing else does.
 */
export class EgressError extends Error {
  /** Stable, for scripts: `EGRESS_…`. */
  readonly code: string
  readonly problem: string
  readonly fix: string
  readonly exitCode: number

  constructor(options: { code: string; problem: string; fix: string; exitCode: number; cause?: unknown }) {
    super(options.problem, { cause: options.cause })
    this.name = 'EgressError'
    this.code = options.code
    this.problem = options.problem
    this.fix = options.fix
    this.exitCode = options.exitCode
  }
}
