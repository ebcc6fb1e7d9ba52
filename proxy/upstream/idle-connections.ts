/** A connection to an upstream, in whatever version of HTTP. */
interface IdleConnection {
  destroy(): void
}

/** The idle connections of an owner, over all of its pools. */
export interface KeptConnections {
  add(connection: IdleConnection): void
  delete(connection: IdleConnection): void
}

/** Idle connections of one sandbox: as many as it may have requests open, so that a burst finds those of the one before. */
const MAX_IDLE = 256

/** Idle connections of all sandboxes. Beyond it, the one that has most of them loses its oldest. */
const MAX_IDLE_OF_ALL = 1_024

/**
 * Counts the idle connections of each sandbox over all of its pools. Threat: a sandbox opens hundreds to each of many
 * upstreams, which keep them open for minutes, until the gateway has no descriptor left. The oldest is closed for a new one.
 */
export class IdleConnections {
  /** By sandbox, the oldest first. */
  readonly #idle = new Map<string, Set<IdleConnection>>()
  #total = 0

  add(sandbox: string, connection: IdleConnection): void {
    const own = this.#idle.get(sandbox) ?? new Set<IdleConnection>()
    this.#idle.set(sandbox, own.add(connection))
    this.#total += 1
    if (own.size > MAX_IDLE) closeOldest(own)
    else if (this.#total > MAX_IDLE_OF_ALL) closeOldest(this.#largest(own))
  }

  /** Called when it is used again, and when it is closed. */
  delete(sandbox: string, connection: IdleConnection): void {
    const own = this.#idle.get(sandbox)
    if (own?.delete(connection) !== true) return
    this.#total -= 1
    if (own.size === 0) this.#idle.delete(sandbox)
  }

  #largest(own: Set<IdleConnection>): Set<IdleConnection> {
    let largest = own
    for (const one of this.#idle.values()) if (one.size > largest.size) largest = one
    return largest
  }
}

/** Its pool is told, and takes it out of here. */
function closeOldest(connections: Set<IdleConnection>): void {
  const [oldest] = connections
  oldest?.destroy()
}
