import { EgressError } from '../common/errors.js'

/** `docker run` conventions: the sandbox failed, the command cannot be executed, the command was not found. */
export type LaunchExitCode = 125 | 126 | 127

/** Why there is no sandbox. */
export class SandboxError extends EgressError {
  constructor(
    code: `EGRESS_SANDBOX_${string}`,
    problem: string,
    fix: string,
    { exitCode = 125, cause }: { exitCode?: LaunchExitCode; cause?: unknown } = {},
  ) {
    super({ code, problem, fix, exitCode, cause })
    this.name = 'SandboxError'
  }
}
