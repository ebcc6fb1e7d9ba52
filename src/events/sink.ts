import type { GatewayEvent } from './events.js'

/**
 * Observes events. It receives an event after its record is in the audit log, so it cannot block anything. The audit log can,
 * and therefore is not a sink.
 */
export interface EventSink {
  /**
   * Must not throw, and must not block: requests wait meanwhile.
   *
   * @param time as the record has it: ISO 8601, UTC, milliseconds
   * @param line the record, without line feed
   */
  take(time: string, event: GatewayEvent, line: string): void
  /** No more events follow. Writes all buffered output. */
  end(): void
}
