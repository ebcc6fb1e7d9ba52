import { usage as usageOf, type EgressError } from '../common/errors.js'

/** An error in the options of `egress run`, whose own exit code no command uses. */
export function usage(problem: string, fix: string): EgressError {
  return usageOf(problem, fix, 125)
}
