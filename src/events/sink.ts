import type { GatewayEvent } from './events.js'

/**
 * Watches what happens. It cannot refuse anything, for it is told of an event once its record is in the audit log; the audit
 * log alone can refuse, and is no sink.
 */
export interface EventSink {
  /**
   * Must not throw, and must not block: requests wait meanwhile.
   *
   * @param time as the record has it: ISO 8601, UTC, milliseconds
   */
  take(time: string, event: GatewayEvent): void
  /** Nothing more happens: what was kept back is written now. */
  end(): void
}
