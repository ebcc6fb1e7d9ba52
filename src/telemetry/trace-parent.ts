import type { SpanContext } from '@opentelemetry/api'

/** W3C Trace Context, section 3.2. A version that is not known yet begins like this one. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-|$)/

/** The context that an agent sent, to link to; null where it sent none. It never becomes the parent: an agent could forge one. */
export function readTraceParent(text: string | null): SpanContext | null {
  const [, traceId, spanId, flags = '00'] = TRACEPARENT.exec(text ?? '') ?? []
  if (traceId === undefined || spanId === undefined) return null
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true }
}
