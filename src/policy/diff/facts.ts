import { isDeepStrictEqual } from 'node:util'
import { describeDestination, describeLocations, describeQuota } from '#firewall/policy-engine/describe.js'
import type { LoadedPolicy } from '#config/load.js'

/** Something that a policy says beside names and requests, in words. */
export interface FactChange {
  readonly what: string
  /** Null for what a policy does not have. */
  readonly before: string | null
  readonly after: string | null
}

/** What changes between two policies beside what they allow: credentials, limits, agents, ways to upstreams. */
export function factChanges(before: LoadedPolicy, after: LoadedPolicy): readonly FactChange[] {
  const [a, b] = [factsOf(before), factsOf(after)]
  return [...new Set([...a.keys(), ...b.keys()])].sort().flatMap((what) => {
    const [was, is] = [a.get(what) ?? null, b.get(what) ?? null]
    return isDeepStrictEqual(was, is) ? [] : [{ what, before: was, after: is }]
  })
}

function factsOf({ policy, quiet, settings, sources, credentialFields }: LoadedPolicy): Map<string, string> {
  const facts = new Map<string, string>()
  const add = (what: string, value: unknown) => {
    if (value !== null && value !== undefined && value !== '')
      facts.set(what, typeof value === 'string' ? value : JSON.stringify(value))
  }
  for (const agent of policy.agents.values()) add(`agent ${agent.name}`, 'exists')
  for (const service of policy.services.values()) {
    const at = `service ${service.name}`
    const { credential, rate, quota, placeholders } = service
    add(
      `${at}: targets`,
      service.targets.map(({ origin, basePath }) => ({ ...origin, basePath })),
    )
    add(`${at}: credential`, credential?.id)
    if (credential !== null) {
      add(`${at}: secrets`, Object.keys(placeholders).join(', '))
      add(`${at}: credential in`, describeLocations(service.locations))
      add(`${at}: tokens from`, credential.endpoints)
      add(`${at}: injected`, service.injectWhen)
      add(`${at}: sessions`, service.sessionHeaders)
      for (const [field, digest] of Object.entries(credentialFields.get(credential.id) ?? {}))
        add(`${at}: ${field} of the credential`, `digest ${digest.slice(0, 8)}`)
    }
    if (rate !== null)
      add(`${at}: rate`, `${String(rate.perSecond)} per second, bursts of ${String(rate.burst)}`)
    if (quota !== null) add(`${at}: quota`, describeQuota(quota))
    for (const [name, value] of Object.entries(service.environment)) add(`${at}: variable ${name}`, value)
  }
  for (const one of policy.destinations) {
    const at = `${one.service === null ? '' : `service ${one.service}, `}${describeDestination(one)}`
    if (one.allowPrivateAddresses) add(`${at}: private addresses`, 'allowed')
    add(`${at}: addresses`, one.addresses?.join(', '))
    add(`${at}: headers that pass`, one.passHeaders?.join(', '))
    if (one.host.kind === 'wildcard') add(`${at}: limits on names`, one.nameLimits ?? policy.dns.nameLimits)
  }
  for (const [name, value] of Object.entries({ ...policy.http, ...policy.limits }))
    add(`limit ${name}`, value)
  add('dns: limits on names', policy.dns.nameLimits)
  add('dns: rate', policy.dns.rate)
  for (const [name, address] of Object.entries(policy.dns.hosts)) add(`dns: address of ${name}`, address)
  for (const [name, found] of Object.entries(policy.upstream.hosts)) add(`upstream address of ${name}`, found)
  add('upstream name servers', policy.upstream.servers.join(', '))
  for (const scheme of ['http', 'https'] as const) {
    const proxy = policy.proxies?.[scheme] ?? null
    if (proxy !== null)
      add(`upstream proxy for ${scheme}`, `${proxy.scheme}://${proxy.host}:${String(proxy.port)}`)
  }
  add('upstream hosts without the proxy', policy.proxies?.noProxy.join(', '))
  for (const { name, kind } of sources) add(`secret ${name}`, `from ${kind}`)
  add('quiet', quiet.map(({ text }) => text).join(', '))
  for (const [name, value] of Object.entries(settings)) add(`setting ${name}`, value)
  return facts
}
