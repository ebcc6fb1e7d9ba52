import { AGENT, CORE_SHARE } from './agent-load.js'
import { Random } from './random.js'

/** How an agent gets its shard. */
export const CHOICES = {
  hash: 'hash of the pod',
  two: 'the emptier of two',
  even: 'in turn',
} as const

type Choice = keyof typeof CHOICES

export interface Spread {
  /** Agents of the fullest shard, by the mean. */
  readonly agents: number
  /** Part of its core that a shard is busy: the mean, one in a hundred, and the busiest. */
  readonly mean: number
  readonly p99: number
  readonly most: number
}

/** Gives every agent a shard, and adds up what its shard has to do. */
export function spread(choice: Choice, agents: number, shards: number): Spread {
  const random = new Random(1)
  const counts = new Uint32Array(shards)
  const load = new Float64Array(shards)
  const at = (shard: number) => counts[shard] ?? 0
  for (let agent = 0; agent < agents; agent += 1) {
    const one = random.below(shards)
    const other = random.below(shards)
    const emptier = at(other) < at(one) ? other : one
    const shard = { hash: one, two: emptier, even: agent % shards }[choice]
    counts[shard] = at(shard) + 1
    load[shard] = (load[shard] ?? 0) + CORE_SHARE * random.heavy(1, AGENT.sigma)
  }
  const sorted = load.toSorted()
  return {
    agents: Math.max(...counts) / (agents / shards),
    mean: sorted.reduce((sum, one) => sum + one, 0) / shards,
    p99: sorted[Math.floor(shards * 0.99)] ?? NaN,
    most: sorted.at(-1) ?? NaN,
  }
}
