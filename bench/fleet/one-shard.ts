import { AGENT } from './agent-load.js'
import { cost } from './costs.js'
import { Random } from './random.js'

/** Simulated seconds. */
const LASTS = 240

/**
 * Milliseconds that a request waits for its shard's only thread, as agents arrive with calls, streams and bursts: events in
 * order of time through one queue. Half and 99 in 100 wait less.
 */
export function waitsAt(agents: number): {
  readonly p50: number
  readonly p99: number
  readonly busy: number
} {
  const random = new Random(agents)
  const times: number[] = []
  const works: number[] = []
  const requests: number[] = []
  const add = (time: number, work: number, isRequest: boolean) => {
    if (time > LASTS) return
    requests.push(isRequest ? 1 : 0)
    times.push(time)
    works.push(work)
  }
  const request = cost('request') + AGENT.queriesPerRequest * cost('query')
  for (let agent = 0; agent < agents; agent += 1) {
    const factor = random.heavy(1, AGENT.sigma)
    const every = AGENT.callEvery / factor
    for (let at = random.after(every); at < LASTS; at += random.after(every)) {
      add(at, request, true)
      // A call that begins while another streams is another stream, as with agents that have agents of their own.
      const events = AGENT.callStreams * AGENT.eventRate
      for (let event = 1; event <= events; event += 1)
        add(at + event / AGENT.eventRate, cost('streamEvent'), false)
    }
    for (
      let at = random.after(AGENT.burstEvery / factor);
      at < LASTS;
      at += random.after(AGENT.burstEvery / factor)
    )
      for (let sent = 0; sent < AGENT.burstRequests; sent += 1)
        add(at + sent / AGENT.burstRate, request, true)
  }
  const order = Uint32Array.from(times.keys()).sort((a, b) => (times[a] ?? 0) - (times[b] ?? 0))
  const waits: number[] = []
  let free = 0
  let worked = 0
  for (const index of order) {
    const [time = 0, work = 0] = [times[index], works[index]]
    const begins = Math.max(free, time)
    if (requests[index] === 1) waits.push((begins - time) * 1000)
    free = begins + work
    worked += work
  }
  const sorted = Float64Array.from(waits).sort()
  const at = (share: number) => sorted[Math.floor(sorted.length * share)] ?? NaN
  return { p50: at(0.5), p99: at(0.99), busy: worked / LASTS }
}
