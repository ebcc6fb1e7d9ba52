/** Who is speaking: identified by the socket or network that the traffic came in on, never by what it contains. */
export interface SandboxRef {
  readonly id: string
  readonly agent: string
  /** `NAME=VALUE`: what its operator wrote on it, for its records. It cannot change them. */
  readonly labels?: readonly string[]
}

/** A sandbox with the placeholders that were made for it. */
export interface RegisteredSandbox extends SandboxRef {
  /** Placeholders by the names of their secrets. */
  readonly placeholders: ReadonlyMap<string, string>
}

/** The agent of a policy without `agents`, and of a run without `--agent`. */
export const DEFAULT_AGENT = 'default'
