import { DEFAULT_APPROVALS } from '#config/approvals/approvals.js'
import { DEFAULT_LIMITS } from '#config/limits/limits.js'
import { isDiagnostic } from '#firewall/contracts/diagnostic.js'
import { parseHostPattern } from '#firewall/names/host-pattern.js'
import { PolicyEngine } from '#firewall/policy-engine/policy-engine.js'
import { DEFAULT_NAMES } from '#firewall/names/name-profiles.js'
import { DEFAULT_AGENT } from '#firewall/contracts/identity.js'
import type { Destination, Policy } from '#firewall/contracts/policy.js'
import { median, table } from './workers/statistics.js'

// Time to check a name, by the number of rules. It depends on the labels of the name, not on the rules.

const SIZES = [10, 10_000, 200_000]
const ROUNDS = 9
const LOOK_UPS = 200_000

function destination(host: string, index: number): Destination {
  const pattern = parseHostPattern(host)
  if (isDiagnostic(pattern)) throw new Error(pattern.problem)
  return {
    id: `allow[${String(index)}]`,
    label: host,
    host: pattern,
    scheme: 'https',
    ports: [443],
    mode: 'intercept',
    rules: [],
    service: null,
    allowPrivateAddresses: false,
    ca: null,
    nameLimits: null,
  }
}

/** Half exact names, half wildcards. */
function policyEngineOf(size: number): PolicyEngine {
  const hosts = Array.from({ length: size }, (_, index) =>
    index % 2 === 0 ? `host-${String(index)}.example.com` : `*.zone-${String(index)}.example.com`,
  )
  const policy: Policy = {
    destinations: hosts.map(destination),
    services: new Map(),
    agents: new Map([[DEFAULT_AGENT, { name: DEFAULT_AGENT, services: null, allow: null }]]),
    dns: { nameLimits: DEFAULT_NAMES, rate: { perSecond: 1, burst: 1 }, hosts: {} },
    http: { maxRequestBytes: 1, responseTimeoutMs: 1, idleTimeoutMs: 1, connectTimeoutMs: 1 },
    limits: DEFAULT_LIMITS,
    approvals: DEFAULT_APPROVALS,
    upstream: { hosts: {}, servers: [] },
    secrets: [],
  }
  return new PolicyEngine(policy)
}

/** Time of one look-up, in nanoseconds. */
function time(policyEngine: PolicyEngine, names: readonly string[]): number {
  const times = Array.from({ length: ROUNDS }, () => {
    const begin = performance.now()
    for (let index = 0; index < LOOK_UPS; index += 1) {
      policyEngine.evaluateName(DEFAULT_AGENT, names[index % names.length] ?? '')
    }
    return ((performance.now() - begin) * 1e6) / LOOK_UPS
  })
  return median(times)
}

const rows = SIZES.map((size) => {
  const policyEngine = policyEngineOf(size)
  const some = Array.from({ length: 1000 }, (_, index) => Math.floor((index * size) / 2000) * 2)
  const kinds = [
    some.map((index) => `host-${String(index)}.example.com`),
    some.map((index) => `a.zone-${String(index + 1)}.example.com`),
    some.map((index) => `a.b.no-${String(index)}.example.org`),
  ]
  return [String(size), ...kinds.map((names) => time(policyEngine, names).toFixed(0))]
})
process.stdout.write(`Nanoseconds to check one name, medians of ${String(ROUNDS)} rounds\n`)
process.stdout.write(table(['rules', 'exact', 'wildcard', 'not listed'], rows))
