import type { HttpAudit } from './events.js'

/** What it takes to record a decision. */
export interface Recorder {
  readonly audit: HttpAudit
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly newId: () => string
}
