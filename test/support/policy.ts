import type { Credential } from '#firewall/credential.js'
import { isFault, parseHostPattern } from '#firewall/host-pattern.js'
import { DEFAULT_NAMES } from '#firewall/name-profiles.js'
import { parsePathPattern } from '#firewall/path-pattern.js'
import {
  DEFAULT_AGENT,
  type Destination,
  type HttpLimits,
  type Policy,
  type Rule,
  type Service,
} from '#firewall/policy.js'

/** A policy made without a file, for tests of what uses one. */
export function testPolicy(parts: {
  destinations: readonly Destination[]
  services?: readonly Service[]
  hosts?: Policy['upstream']['hosts']
  http?: Partial<HttpLimits>
}): Policy {
  return {
    destinations: parts.destinations,
    services: new Map((parts.services ?? []).map((service) => [service.name, service])),
    agents: new Map([[DEFAULT_AGENT, { name: DEFAULT_AGENT, services: null, allow: null }]]),
    dns: { names: DEFAULT_NAMES, rate: { perSecond: 1e6, burst: 1e6 }, hosts: {} },
    http: {
      maxRequestBytes: 5 * 2 ** 30,
      responseTimeoutMs: 3_000,
      idleTimeoutMs: 5_000,
      connectTimeoutMs: 2_000,
      ...parts.http,
    },
    upstream: { hosts: parts.hosts ?? {}, servers: [] },
  }
}

/** A destination from a URL-like text: `https://api.example`, `http://*.plain.example:8080`. */
export function destination(
  url: string,
  rules: readonly string[],
  extra: Partial<Destination> & { id: string },
): Destination {
  const [, scheme = '', hostText = '', port] = /^(https?):\/\/([^:/]+)(?::(\d+))?$/.exec(url) ?? []
  const host = parseHostPattern(hostText)
  if (isFault(host)) throw new Error(host.problem)
  return {
    label: hostText,
    host,
    scheme: scheme === 'http' ? 'http' : 'https',
    ports: [port === undefined ? (scheme === 'http' ? 80 : 443) : Number(port)],
    mode: 'intercept',
    rules: rules.map((text, index) => rule(text, `${extra.id}.rules[${String(index)}]`)),
    service: null,
    allowPrivate: true,
    ca: null,
    names: null,
    ...extra,
  }
}

/** A rule from `allow GET,POST /path/**`. */
function rule(text: string, id: string): Rule {
  const [effect, methods = '', path = ''] = text.split(' ')
  const pattern = parsePathPattern(path)
  if (isFault(pattern)) throw new Error(pattern.problem)
  return {
    effect: effect === 'deny' ? 'deny' : 'allow',
    methods: methods === '*' ? null : methods.split(','),
    path: pattern,
    text: `${methods} ${path}`,
    id,
  }
}

export function service(
  name: string,
  origin: string,
  credential: Credential | null,
  extra: Partial<Service> = {},
): Service {
  const { protocol, hostname, port } = new URL(origin)
  const scheme = protocol === 'http:' ? 'http' : 'https'
  return {
    name,
    targets: [
      {
        origin: { scheme, host: hostname, port: Number(port) || (scheme === 'http' ? 80 : 443) },
        basePath: '',
      },
    ],
    credential,
    slots: credential?.slots ?? {},
    injectWhen: 'always',
    sessions: 'drop',
    rate: null,
    quota: null,
    environment: {},
    dummies: {},
    ...extra,
  }
}

/** A policy of one service, `https://api.example`, which stands on a port of loopback. */
export function oneServicePolicy(parts: {
  credential: Credential | null
  port: number
  /** PEM of the authority that its certificate comes from. */
  ca: string
  rules?: readonly string[]
  hosts?: Policy['upstream']['hosts']
  http?: Partial<HttpLimits>
}): Policy {
  const { credential, port, ca, rules = ['allow * /**'], hosts, http } = parts
  return testPolicy({
    destinations: [destination('https://api.example', rules, { id: 'services.api', service: 'api', ca })],
    services: [service('api', 'https://api.example', credential)],
    hosts: { 'api.example': { address: '127.0.0.1', port }, ...hosts },
    ...(http === undefined ? {} : { http }),
  })
}
