import { KUBERNETES } from './costs.js'
import { Random } from './random.js'

export interface Outage {
  /** Part of the agents in the other two zones that lose their shard. */
  readonly affected: number
  /** Seconds until half of those, and all, have it again. */
  readonly p50: number
  readonly all: number
}

/** How agents and shards are placed, and for how long the pods of a silent node are tolerated. */
export interface Placement {
  readonly sameZone: boolean
  readonly toleratedSeconds: number
}

/** Shards that the surviving nodes can start at once, each taking so many seconds: pulled image, bound address, read state. */
const STARTS_AT_ONCE = 100
const START_SECONDS = 4

/**
 * One of three zones is gone. Its agents are gone with it; those of the other zones lose the network if their shard was there,
 * until it runs again elsewhere: its Service, and so its address, stays.
 */
export function loseZone(agents: number, shards: number, placement: Placement): Outage {
  const random = new Random(7)
  const lost = Math.floor(shards / 3)
  const back = Float64Array.from({ length: lost }, (_, shard) => {
    const noticed = KUBERNETES.nodeGone + random.next() * 5 + placement.toleratedSeconds
    return noticed + (Math.floor(shard / STARTS_AT_ONCE) + 1) * START_SECONDS
  })
  const waits: number[] = []
  const survivors = Math.floor((agents * 2) / 3)
  for (let agent = 0; agent < survivors; agent += 1) {
    const shard = random.below(shards)
    if (!placement.sameZone && shard < lost) waits.push(back[shard] ?? 0)
  }
  const sorted = Float64Array.from(waits).sort()
  return {
    affected: waits.length / survivors,
    p50: sorted[Math.floor(sorted.length / 2)] ?? 0,
    all: sorted.at(-1) ?? 0,
  }
}
