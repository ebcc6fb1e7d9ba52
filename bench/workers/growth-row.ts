/** One dimension of one input. */
export interface GrowthRow {
  readonly name: string
  /** Default: 10 to 10,000. */
  readonly sizes?: readonly number[]
  /** Makes an input of this size, and returns what takes it once. */
  prepare(size: number): (() => unknown) | Promise<() => unknown>
  /** Closes what `prepare` has opened. */
  end?(): Promise<void>
}
