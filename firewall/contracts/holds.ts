/** Whose network an operator holds: nothing of it passes until the hold is lifted, whatever the policy says. */
export interface Holds {
  /** Every sandbox. */
  readonly all: boolean
  readonly agents: ReadonlySet<string>
  /** Ids of sandboxes that were stopped. */
  readonly sandboxes: ReadonlySet<string>
}

export const NO_HOLDS: Holds = { all: false, agents: new Set(), sandboxes: new Set() }

export type HoldReason = 'sandbox-stopped' | 'agent-paused'
