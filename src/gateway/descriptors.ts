import { readFileSync } from 'node:fs'
import type { SandboxLimits, ShareLimit } from '#firewall/contracts/limits.js'

/** Descriptors for what is no connection of a sandbox: files, listeners, DNS, connections that are being refused. */
const RESERVED = 256

/** Descriptors of idle connections to upstreams, which are the first to be closed. */
const IDLE = 1_024

/** How many descriptors this process may have open; null where the system does not say. */
export function descriptorLimit(): number | null {
  try {
    const [, soft = ''] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return soft === '' ? null : Number(soft)
  } catch {
    return null
  }
}

/**
 * Limits that fit into so many descriptors. Threat: one sandbox opens connections until there is none left for anybody, nor
 * for the audit log. A connection takes one, a request another one to its upstream; and what all hold may be twice what the
 * total says, since each sandbox has its small part in any case.
 */
export function fitLimits(limits: SandboxLimits, descriptors: number | null): SandboxLimits {
  if (descriptors === null) return limits
  const { connections, requests } = limits
  const reserved = Math.min(RESERVED, descriptors / 4) + Math.min(IDLE, descriptors / 8)
  const part = (descriptors - reserved) / (2 * (connections.all + requests.all))
  return part >= 1
    ? limits
    : { ...limits, connections: partOf(connections, part), requests: partOf(requests, part) }
}

function partOf({ own, all }: ShareLimit, part: number): ShareLimit {
  return { own, all: Math.max(Math.floor(all * part), 1) }
}
