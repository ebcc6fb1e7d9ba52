import { authorityText } from '#firewall/names/default-port.js'
import type { Service } from '#firewall/contracts/service.js'
import type { Policy } from '#firewall/contracts/policy.js'
import type { RegisteredSandbox } from '#firewall/contracts/identity.js'
import { changeEnvironment } from './environment-changes.js'
import { gitRemoteVariables } from './git-remotes.js'
import { makePlaceholder, type BytesSource } from './make-placeholder.js'
import { directNames } from './own-names.js'
import { trustVariables } from '../trust/trust-variables.js'

/** Host name of the gateway inside the sandbox. */
export const GATEWAY_HOST = 'egress'
export const PORTS = { dns: 53, http: 80, https: 443, forward: 3128, reverse: 9199 } as const

/**
 * The environment of one sandbox: credential placeholders, the gateway's addresses, and whom to trust.
 *
 * @param addresses the sandbox's own addresses or networks, besides loopback
 */
export function sandboxEnvironment(
  policy: Policy,
  { agent, placeholders }: Pick<RegisteredSandbox, 'agent' | 'placeholders'>,
  addresses: readonly string[],
): Record<string, string> {
  const proxy = `http://${GATEWAY_HOST}:${String(PORTS.forward)}`
  const direct = directNames([GATEWAY_HOST], addresses)
  const environment = {
    HTTP_PROXY: proxy,
    HTTPS_PROXY: proxy,
    http_proxy: proxy,
    https_proxy: proxy,
    NO_PROXY: direct,
    no_proxy: direct,
    ...trustVariables(),
    ...gitRemoteVariables(policy),
    ...credentialEnvironment(policy, agent, placeholders),
    EGRESS_AGENT: agent,
  }
  return changeEnvironment(environment, {})
}

function servicesOf(policy: Policy, agent: string): readonly Service[] {
  const usable = policy.agents.get(agent)?.services ?? null
  return [...policy.services.values()].filter(({ name }) => usable === null || usable.includes(name))
}

/**
 * Placeholders for the secrets of all services that the agent may use, made for one sandbox.
 *
 * @param randomFor bytes for the placeholder of a secret (default: new ones at every call)
 */
export function makePlaceholders(
  policy: Policy,
  agent: string,
  randomFor?: (secret: string) => BytesSource,
): ReadonlyMap<string, string> {
  const formats = servicesOf(policy, agent).flatMap(({ placeholders }) => Object.entries(placeholders))
  return new Map(formats.map(([name, format]) => [name, makePlaceholder(format, randomFor?.(name))]))
}

function credentialEnvironment(
  policy: Policy,
  agent: string,
  placeholders: ReadonlyMap<string, string>,
): Record<string, string> {
  const environment: Record<string, string> = {}
  for (const service of servicesOf(policy, agent)) {
    for (const [name, template] of Object.entries(service.environment)) {
      environment[name] = fillIn(template, service, placeholders)
    }
  }
  return environment
}

function fillIn(template: string, service: Service, placeholders: ReadonlyMap<string, string>): string {
  return (
    template
      // Functions, because `$&` in a replacement string is special.
      .replaceAll('{url}', () => serviceUrl(service))
      .replaceAll('{base_url}', () => `http://${GATEWAY_HOST}:${String(PORTS.reverse)}/${service.name}`)
      .replace(/\{placeholder:([A-Za-z0-9_]+)\}/g, (whole, name: string) => placeholders.get(name) ?? whole)
  )
}

function serviceUrl({ targets: [first] }: Service): string {
  if (first === undefined) return ''
  const { scheme, host, port } = first.origin
  return `${scheme}://${authorityText(scheme, host, port)}${first.basePath}`
}
