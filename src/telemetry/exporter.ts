import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, type Attributes, type Span } from '@opentelemetry/api'
import { SeverityNumber } from '@opentelemetry/api-logs'
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-http'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs'
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base'
import type { HttpClose, HttpDecision } from '#proxy/contracts/events.js'
import type { GatewayEvent } from '../events/events.js'
import { readTraceParent } from './trace-parent.js'

export interface ExporterOptions {
  readonly endpoint: string
  readonly version: string
  /** Told of each batch that was not taken, with the reason. */
  readonly failed: (message: string) => void
}

/** Milliseconds between two batches, for one request to the collector, and the most that wait for it. */
const BATCH = {
  scheduledDelayMillis: 1_000,
  exportTimeoutMillis: 10_000,
  maxQueueSize: 4_096,
  maxExportBatchSize: 512,
}

/** Allowed requests whose end has not come. The oldest is given up for the next: a stream may last for days. */
const MAX_OPEN = 10_000

/** Result of an export, as the SDK has it. */
interface Exported {
  readonly code: number
  readonly error?: Error
}

/** Says of what a batch was not taken; the SDK itself is silent. */
function watched<Exporter extends { export(items: never, done: (result: Exported) => void): void }>(
  exporter: Exporter,
  failed: (message: string) => void,
): Exporter {
  const send = exporter.export.bind(exporter)
  exporter.export = (items: never, done: (result: Exported) => void) =>
    send(items, (result) => {
      if (result.code !== 0) failed(result.error?.message ?? 'unknown error')
      done(result)
    })
  return exporter
}

/** Makes spans and log records of events, and sends them with the SDK of OpenTelemetry. Loaded only when it is switched on. */
export class TelemetryExporter {
  readonly #traces: BasicTracerProvider
  readonly #logs: LoggerProvider
  readonly #open = new Map<string, { readonly span: Span; readonly decision: HttpDecision }>()

  constructor({ endpoint, version, failed }: ExporterOptions) {
    const resource = resourceFromAttributes({ 'service.name': 'egress', 'service.version': version })
    const spans = watched(new OTLPTraceExporter({ url: `${endpoint}/v1/traces` }), failed)
    const records = watched(new OTLPLogExporter({ url: `${endpoint}/v1/logs` }), failed)
    this.#traces = new BasicTracerProvider({
      resource,
      spanProcessors: [new BatchSpanProcessor(spans, BATCH)],
    })
    this.#logs = new LoggerProvider({
      resource,
      processors: [new BatchLogRecordProcessor({ exporter: records, ...BATCH })],
    })
  }

  /** @param line the record in the audit log, which has no secret */
  take(time: string, { type, event }: GatewayEvent, line: string): void {
    let span: Span | null = null
    if (type === 'decision') span = this.#begin(event)
    else if (type === 'close') span = this.#end(event)
    const isDenied = 'verdict' in event && event.verdict === 'deny'
    this.#logs.getLogger('egress').emit({
      timestamp: Date.parse(time),
      severityNumber: isDenied ? SeverityNumber.WARN : SeverityNumber.INFO,
      severityText: isDenied ? 'WARN' : 'INFO',
      body: line,
      attributes: { 'event.name': `egress.${type}`, ...whoOf('sandbox' in event ? event.sandbox : null) },
      ...(span !== null && { context: trace.setSpan(ROOT_CONTEXT, span) }),
    })
  }

  async shutdown(): Promise<void> {
    for (const { span } of this.#open.values()) span.end()
    this.#open.clear()
    await Promise.allSettled([this.#traces.shutdown(), this.#logs.shutdown()])
  }

  #begin(decision: HttpDecision): Span {
    const { at, id, kind, method, verdict, reason, traceparent = null } = decision
    const link = readTraceParent(traceparent)
    const span = this.#traces.getTracer('egress').startSpan(
      `${method ?? kind} ${decision.service ?? decision.host ?? ''}`.trimEnd(),
      {
        root: true,
        kind: SpanKind.SERVER,
        startTime: at,
        attributes: attributesOf(decision),
        links: link === null ? [] : [{ context: link }],
      },
      ROOT_CONTEXT,
    )
    if (verdict === 'deny' || !ENDING.has(kind)) {
      if (verdict === 'deny') span.setStatus({ code: SpanStatusCode.ERROR, message: reason ?? 'denied' })
      span.end(at)
      return span
    }
    if (this.#open.size >= MAX_OPEN) this.#giveUpOldest()
    this.#open.set(id, { span, decision })
    return span
  }

  #end(close: HttpClose): Span | null {
    const opened = this.#open.get(close.id)
    if (opened === undefined) return null
    this.#open.delete(close.id)
    const { span, decision } = opened
    const { timing, outcome, reason, status } = close
    const tracer = this.#traces.getTracer('egress')
    const child = (name: string, from: number, milliseconds: number, kind: SpanKind) =>
      tracer
        .startSpan(name, { startTime: from, kind }, trace.setSpan(ROOT_CONTEXT, span))
        .end(from + Math.max(0, milliseconds))
    if (timing !== undefined) {
      child('decide', decision.at - timing.decisionMs, timing.decisionMs, SpanKind.INTERNAL)
      if (timing.upstreamMs !== null) child('upstream', decision.at, timing.upstreamMs, SpanKind.CLIENT)
    }
    span.setAttributes({
      ...(status !== null && { 'http.response.status_code': status }),
      'http.request.body.size': close.requestBytes,
      'http.response.body.size': close.responseBytes,
      'egress.redactions': close.redactions.reduce((sum, { count }) => sum + count, 0),
    })
    if (outcome === 'failure') span.setStatus({ code: SpanStatusCode.ERROR, message: reason ?? outcome })
    span.end(Math.max(close.at, decision.at))
    return span
  }

  #giveUpOldest(): void {
    for (const [id, { span }] of this.#open) {
      span.end()
      this.#open.delete(id)
      return
    }
  }
}

/** What has an end of its own. */
const ENDING: ReadonlySet<HttpDecision['kind']> = new Set(['request', 'upgrade', 'tunnel'])

/** Texts that are in the audit record, too. */
function attributesOf(decision: HttpDecision): Attributes {
  const { method, scheme, host, port, path, address } = decision
  return {
    ...(method !== null && { 'http.request.method': method }),
    ...(scheme !== null && { 'url.scheme': scheme }),
    ...(path !== null && { 'url.path': path }),
    ...(host !== null && { 'server.address': host }),
    ...(port !== null && { 'server.port': port }),
    ...(address !== null && { 'network.peer.address': address }),
    'egress.request.id': decision.id,
    'egress.verdict': decision.verdict,
    ...(decision.reason !== null && { 'egress.reason': decision.reason }),
    ...(decision.rule !== null && { 'egress.rule': decision.rule }),
    ...(decision.service !== null && { 'egress.service': decision.service }),
    ...(decision.credential !== null && { 'egress.credential': decision.credential }),
    ...whoOf(decision.sandbox),
  }
}

function whoOf(sandbox: HttpDecision['sandbox']): Attributes {
  return sandbox === null ? {} : { 'egress.sandbox.id': sandbox.id, 'egress.agent': sandbox.agent }
}
