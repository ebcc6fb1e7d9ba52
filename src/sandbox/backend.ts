import type { SandboxPlan } from './plan.js'

/** Descriptors of the calling process that become the command's standard input, output and error. */
export type CommandStreams = readonly [input: number, output: number, error: number]

export const OWN_STREAMS: CommandStreams = [0, 1, 2]

/**
 * Carries out a plan: one object per sandbox. The methods are called in the order of this interface. A backend implements
 * the plan exactly, or `prepare` rejects: it shows nothing more and hides nothing less. test/backends runs the same probes
 * on each backend.
 */
export interface SandboxBackend {
  /**
   * Sets the streams of the command (default: the caller's own). Called before `prepare`. The caller keeps them open until
   * `start` has returned, and does not read or write them in the meantime.
   */
  attach(streams: CommandStreams): void

  /**
   * Builds the sandbox without starting the command: when it resolves, the gateway can serve the sandbox, and no code of the
   * agent has run. Rejects with an EgressError; `end` must be called after that as well.
   */
  prepare(plan: SandboxPlan): Promise<void>

  /** Starts the command. Called once, after `prepare` has resolved and the gateway serves: the command may connect immediately. */
  start(): void

  /**
   * Sends a signal to the command, not to its parent processes. May be called at any time: before the command exists, the
   * signal is delayed for up to some seconds; after its end, it is dropped. Never throws.
   */
  signal(name: NodeJS.Signals): void

  /**
   * The exit code of the command, or 128 + n after signal n; 125 if it could not be started, 126 if it is not executable, 127
   * if it was not found. Resolves when no process of the sandbox is left.
   */
  wait(): Promise<number>

  /**
   * Removes the sandbox, its processes first. May be called in any state, also during `prepare`, and more than once. Work
   * that nobody depends on may continue after it has resolved. `exitCode` is for the record of the sandbox; null if the
   * command has no exit code. Never rejects.
   */
  end(exitCode: number | null): Promise<void>

  /** Removes the remains of sandboxes whose programs were killed; never touches a running sandbox. Never rejects. */
  sweep(): Promise<void>
}
