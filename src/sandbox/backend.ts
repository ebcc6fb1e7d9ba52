import type { SandboxPlan } from './plan.js'

/** Descriptors of the calling process that become the command's standard input, output and error. */
export type CommandStreams = readonly [input: number, output: number, error: number]

export const OWN_STREAMS: CommandStreams = [0, 1, 2]

/**
 * A way to carry a plan out: one object for one sandbox. The methods are called in the order in which they stand here; what
 * a plan says is done as it says, or `prepare` rejects. A backend adds nothing to what a plan shows and takes nothing from
 * what it hides: test/backends runs the same probes on each.
 */
export interface SandboxBackend {
  /**
   * Names the streams that the command gets; without it the caller's own. Before `prepare`. The caller keeps them open until
   * `start` has returned, and neither reads nor writes them meanwhile.
   */
  attach(streams: CommandStreams): void

  /**
   * Makes everything of the sandbox except the command itself: when it resolves, a gateway can be served to it, and nothing
   * of the agent's has run. Rejects with an EgressError that says what to do, after which `end` must be called as well.
   */
  prepare(plan: SandboxPlan): Promise<void>

  /** Starts the command. Once, after `prepare` has resolved and the gateway is served: the command may connect at once. */
  start(): void

  /**
   * Sends a signal to the command, not to what started it. At any time: before the command exists the signal is held back
   * for some seconds, after its end it is dropped. Never throws.
   */
  signal(name: NodeJS.Signals): void

  /**
   * The command's exit code, 128 + n where signal n ended it; 125 where it could not be started, 126 and 127 as a shell has
   * them. Resolves once no process of the sandbox is left.
   */
  wait(): Promise<number>

  /**
   * Takes away what is left of the sandbox, its processes first, in whatever state it is: also while `prepare` is under way,
   * and more than once. What others need not wait for may go on after it has resolved. `exitCode` is for who keeps a record
   * of the sandbox, null where the command has none. Never rejects.
   */
  end(exitCode: number | null): Promise<void>

  /** Takes away what sandboxes left whose programs were killed, never what belongs to one that lives. Never rejects. */
  sweep(): Promise<void>
}
