/** Does a piece of one sandbox's work now or later, after what was given before it. It must not throw. */
export type InTurn = (work: () => void) => void
