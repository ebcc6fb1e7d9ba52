/** A change that no test notices, and why that is right. */
export interface Accepted {
  readonly file: string
  /** The source before and after the change, as the report prints them. */
  readonly from: string
  readonly to: string
  readonly reason: string
}

export const ACCEPTED: readonly Accepted[] = []
