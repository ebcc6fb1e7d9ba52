import { readdirSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Counter, Gauge, type Registry } from 'prom-client'

const NANOSECONDS = 1e9

/** Milliseconds between two measurements of the event loop's delay. Ten a second are no load. */
const RESOLUTION_MS = 100

/**
 * What every program tells, under the names that dashboards know. prom-client's own would add fifty series of Node's insides, some
 * under names that Prometheus warns of.
 *
 * @returns a function that stops measuring
 */
export function addProcessMetrics(registry: Registry, version: string): () => void {
  const registers = [registry]
  const gauge = (name: string, help: string, value: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value())
      },
    })
  const build = new Gauge({
    name: 'egress_build_info',
    help: 'The version of the program.',
    labelNames: ['version', 'node'],
    registers,
  })
  build.set({ version, node: process.version }, 1)
  new Counter({
    name: 'process_cpu_seconds_total',
    help: 'Processor time of the process.',
    registers,
    collect() {
      const { user, system } = process.cpuUsage()
      this.reset()
      this.inc((user + system) / 1e6)
    },
  })
  const started = Date.now() / 1000 - process.uptime()
  gauge('process_start_time_seconds', 'When the process was started.', () => started)
  gauge('process_resident_memory_bytes', 'Resident memory of the process.', () => process.memoryUsage.rss())
  gauge('process_open_fds', 'Open file descriptors of the process.', openDescriptors)

  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delay.enable()
  // It measures the time between two timers, of which the interval itself is no delay.
  const seconds = (nanoseconds: number) =>
    Number.isFinite(nanoseconds) ? Math.max(nanoseconds / NANOSECONDS - RESOLUTION_MS / 1000, 0) : 0
  gauge(
    'egress_event_loop_delay_p99_seconds',
    'Delay of the event loop since the start of the minute, 99th percentile.',
    () => seconds(delay.percentile(99)),
  )
  gauge(
    'egress_event_loop_delay_max_seconds',
    'The longest delay of the event loop since the start of the minute.',
    () => seconds(delay.max),
  )
  const timer = setInterval(() => delay.reset(), 60_000).unref()
  return () => {
    clearInterval(timer)
    delay.disable()
  }
}

function openDescriptors(): number {
  try {
    return readdirSync('/proc/self/fd').length
  } catch {
    return 0
  }
}
