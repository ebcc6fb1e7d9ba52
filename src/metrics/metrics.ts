import { Registry } from 'prom-client'
import { text, type AdminRoute } from '../control/route.js'
import type { EventSink } from '../events/sink.js'
import { EventMetrics, type HostClass } from './event-metrics.js'
import { addProcessMetrics } from './process-metrics.js'
import { addStateMetrics, type MetricSources } from './state-metrics.js'

/** Everything that a gateway tells Prometheus. No label has a host name, and none has a value that a sandbox chooses. */
export class GatewayMetrics {
  readonly #registry = new Registry()
  readonly #events: EventMetrics
  readonly #stop: () => void

  /** @param version of the program */
  constructor(version: string) {
    this.#events = new EventMetrics(this.#registry)
    this.#stop = addProcessMetrics(this.#registry, version)
  }

  /** Counts what happens. */
  get sink(): EventSink {
    return this.#events
  }

  /** Adds what is looked up with each scrape. Called once, when it is there. */
  observe(sources: MetricSources, classOf: (agent: string, host: string) => HostClass): void {
    this.#events.classOf = classOf
    addStateMetrics(this.#registry, sources)
  }

  route(): AdminRoute {
    return {
      method: 'GET',
      path: '/metrics',
      handle: async () => text(await this.#registry.metrics(), 200, this.#registry.contentType),
    }
  }

  close(): void {
    this.#stop()
  }
}
