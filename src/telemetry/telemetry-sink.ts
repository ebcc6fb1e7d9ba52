import { readTelemetrySettings } from '#config/telemetry-settings.js'
import { version } from '../common/version.js'
import type { GatewayEvent } from '../events/events.js'
import type { EventSink } from '../events/sink.js'
import type { ExporterOptions, TelemetryExporter } from './exporter.js'

/** Events that wait while the SDK is loaded; later ones are lost until then. */
const MAX_WAITING = 4_096

/** How long the last batches may take when the process ends, in milliseconds. */
const FLUSH_MS = 3_000

/** As the environment says; null unless it is switched on. @throws SettingsError */
export function openTelemetry(
  env: Readonly<Record<string, string | undefined>>,
  warn: (message: string) => void,
): TelemetrySink | null {
  const settings = readTelemetrySettings(env)
  return settings === null ? null : new TelemetrySink({ ...settings, version: version() }, warn)
}

/** Sends traces and logs to a collector. Neither a collector that is slow or away nor the loading of the SDK delays a request. */
export class TelemetrySink implements EventSink {
  readonly #loading: Promise<void>
  #exporter: TelemetryExporter | null = null
  #waiting: (readonly [string, GatewayEvent, string])[] = []
  #hasFailed = false

  /** @param warn told once of a collector that cannot be reached */
  constructor(options: Omit<ExporterOptions, 'failed'>, warn: (message: string) => void) {
    const failed = (message: string) => {
      if (!this.#hasFailed)
        warn(`Cannot send traces or logs to ${options.endpoint}: ${message}. Some are lost`)
      this.#hasFailed = true
    }
    this.#loading = this.#load({ ...options, failed }).catch((error: unknown) => {
      failed((error as Error).message)
    })
  }

  take(time: string, event: GatewayEvent, line: string): void {
    if (this.#exporter !== null) this.#exporter.take(time, event, line)
    else if (this.#waiting.length < MAX_WAITING) this.#waiting.push([time, event, line])
  }

  end(): void {
    // `flush` sends the rest.
  }

  /** Sends what waits, as long as a process that ends may wait for it. Never rejects. */
  async flush(): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const limit = new Promise<void>((resolve) => (timer = setTimeout(resolve, FLUSH_MS)))
    await Promise.race([this.#loading.then(() => this.#exporter?.shutdown()), limit])
    clearTimeout(timer)
  }

  async #load(options: ExporterOptions): Promise<void> {
    const { TelemetryExporter } = await import('./exporter.js')
    const exporter = new TelemetryExporter(options)
    for (const [time, event, line] of this.#waiting) exporter.take(time, event, line)
    this.#waiting = []
    this.#exporter = exporter
  }
}
