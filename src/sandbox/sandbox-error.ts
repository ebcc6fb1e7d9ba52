/** `docker run` conventions: the sandbox failed, the command cannot be executed, the command was not found. */
export type LaunchExitCode = 125 | 126 | 127

/** Why there is no sandbox: what is wrong in `message`, what to do in `fix`. */
export class SandboxError extends Error {
  readonly code: `EGRESS_SANDBOX_${string}`
  readonly fix: string
  readonly exitCode: LaunchExitCode

  constructor(
    code: `EGRESS_SANDBOX_${string}`,
    message: string,
    fix: string,
    options: { exitCode?: LaunchExitCode; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.name = 'SandboxError'
    this.code = code
    this.fix = fix
    this.exitCode = options.exitCode ?? 125
  }
}
