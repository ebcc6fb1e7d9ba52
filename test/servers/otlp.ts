import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'
import * as z from 'zod'

// A collector for OTLP/HTTP in JSON (OpenTelemetry Protocol 1, with the JSON mapping of its messages). It takes nothing that the
// protocol does not allow, and keeps what it was sent.

const id = (bytes: number) => z.string().regex(new RegExp(`^(?!0+$)[0-9a-f]{${String(bytes * 2)}}$`))
const nanoseconds = z.union([z.string().regex(/^\d{1,20}$/), z.int().min(0)])
const value = z.strictObject({
  stringValue: z.string().optional(),
  boolValue: z.boolean().optional(),
  intValue: z.union([z.int(), z.string().regex(/^-?\d+$/)]).optional(),
  doubleValue: z.number().optional(),
})
const attributes = z.array(z.strictObject({ key: z.string().min(1), value }))
const resource = z.strictObject({ attributes, droppedAttributesCount: z.int().optional() })
const scope = z.strictObject({ name: z.string(), version: z.string().optional() })
const link = z.strictObject({
  ...{ traceId: id(16), spanId: id(8), traceState: z.string().optional(), attributes: attributes.optional() },
  ...{ droppedAttributesCount: z.int().optional(), flags: z.int().optional() },
})
const span = z.strictObject({
  ...{ traceId: id(16), spanId: id(8), parentSpanId: id(8).optional(), traceState: z.string().optional() },
  ...{ name: z.string().min(1), kind: z.int().min(1).max(5), flags: z.int().optional(), attributes },
  ...{ startTimeUnixNano: nanoseconds, endTimeUnixNano: nanoseconds, links: z.array(link) },
  events: z.array(z.unknown()).max(0),
  status: z.strictObject({ code: z.int().min(0).max(2), message: z.string().optional() }),
  ...{ droppedAttributesCount: z.int(), droppedEventsCount: z.int(), droppedLinksCount: z.int() },
})
const record = z.strictObject({
  ...{ timeUnixNano: nanoseconds, observedTimeUnixNano: nanoseconds, body: value, attributes },
  ...{ severityNumber: z.int().min(1).max(24), severityText: z.string(), eventName: z.string().optional() },
  ...{ droppedAttributesCount: z.int(), flags: z.int().optional() },
  ...{ traceId: id(16).optional(), spanId: id(8).optional() },
})
const traces = z.strictObject({
  resourceSpans: z.array(
    z.strictObject({
      resource,
      schemaUrl: z.string().optional(),
      scopeSpans: z.array(z.strictObject({ scope, schemaUrl: z.string().optional(), spans: z.array(span) })),
    }),
  ),
})
const logs = z.strictObject({
  resourceLogs: z.array(
    z.strictObject({
      resource,
      schemaUrl: z.string().optional(),
      scopeLogs: z.array(
        z.strictObject({ scope, schemaUrl: z.string().optional(), logRecords: z.array(record) }),
      ),
    }),
  ),
})

export type OtlpSpan = z.infer<typeof span>
export type OtlpRecord = z.infer<typeof record>

export interface Collector {
  readonly endpoint: string
  readonly spans: OtlpSpan[]
  readonly records: OtlpRecord[]
  /** What it did not take, and why. */
  readonly refused: string[]
  /** Everything, as it came. */
  readonly bodies: string[]
  close(): Promise<void>
}

export async function startCollector(): Promise<Collector> {
  const [spans, records, refused, bodies]: [OtlpSpan[], OtlpRecord[], string[], string[]] = [[], [], [], []]
  const server = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = []
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
      const raw = Buffer.concat(chunks)
      const body =
        request.headers['content-encoding'] === 'gzip' ? gunzipSync(raw).toString() : raw.toString()
      bodies.push(body)
      try {
        if (request.method !== 'POST') throw new Error(`method ${request.method ?? ''}`)
        if (request.headers['content-type'] !== 'application/json') throw new Error('content type')
        if (request.url === '/v1/traces')
          for (const { scopeSpans } of traces.parse(JSON.parse(body)).resourceSpans)
            spans.push(...scopeSpans.flatMap((one) => one.spans))
        else if (request.url === '/v1/logs')
          for (const { scopeLogs } of logs.parse(JSON.parse(body)).resourceLogs)
            records.push(...scopeLogs.flatMap((one) => one.logRecords))
        else throw new Error(`path ${request.url ?? ''}`)
        response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
      } catch (error) {
        refused.push(String(error))
        response.writeHead(400).end()
      }
    })()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    ...{ endpoint: `http://127.0.0.1:${String(port)}`, spans, records, refused, bodies },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** The value of an attribute; undefined where there is none. */
export function attributeOf(of: Pick<OtlpSpan, 'attributes'>, key: string): unknown {
  const found = of.attributes.find((one) => one.key === key)?.value
  return found?.stringValue ?? found?.intValue ?? found?.doubleValue ?? found?.boolValue
}
