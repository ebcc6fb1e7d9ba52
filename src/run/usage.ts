import { EgressError } from '../common/errors.js'

/** An error in the options of `egress run`, whose own exit code no command uses. */
export function usage(problem: string, fix: string): EgressError {
  return new EgressError({ code: 'EGRESS_USAGE', problem, fix, exitCode: 125 })
}
