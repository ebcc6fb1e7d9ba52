import { z } from 'zod'
import type { CredentialKind } from '#firewall/contracts/credential.js'
import { NAME_PROFILES, type NameProfile } from '#firewall/names/name-profiles.js'
import { count, duration, field, flag, text } from './schema-parts.js'
import { secretsSection } from './sources/schema.js'

/** Limits on names under a wildcard, for all of them or for one. */
const nameLimits = {
  profile: field(
    z.enum(Object.keys(NAME_PROFILES) as [NameProfile, ...NameProfile[]]),
    'the limits to begin with: `default`, `strict`, or `random-labels` for names that a machine made',
    'profile: strict',
  ).optional(),
  max_length: field(count.max(253), 'characters of the open labels together', 'max_length: 64').optional(),
  max_label: field(count.max(63), 'characters of one open label', 'max_label: 40').optional(),
  max_entropy: field(
    z.number().min(0).max(8),
    'bits a character of one open label of 16 characters or more',
    'max_entropy: 4.2',
  ).optional(),
  max_total_entropy: field(
    z.number().min(0).max(8),
    'bits a character of all open labels together',
    'max_total_entropy: 4.5',
  ).optional(),
  names_per_window: field(
    count.max(2048),
    'new names under one wildcard in a window',
    'names_per_window: 16',
  ).optional(),
  bytes_per_window: field(
    count.max(1e6),
    'bytes of new names under one wildcard in a window',
    'bytes_per_window: 256',
  ).optional(),
  window: duration('length of the window', 'window: 10m').optional(),
  bytes_per_day: field(
    count.max(1e7),
    'bytes of new names under one wildcard in a day',
    'bytes_per_day: 2048',
  ).optional(),
}

const names = z.strictObject(nameLimits)

const rate = (description: string) =>
  field(
    z.strictObject({
      per_second: field(
        z.number().positive().max(1e6),
        'how many a second in the long run',
        'per_second: 10',
      ),
      burst: field(z.int().min(1).max(1e6), 'how many may come at once', 'burst: 20'),
    }),
    description,
    'rate: { per_second: 10, burst: 20 }',
  )

const quota = z.strictObject({
  requests: field(z.int().min(1).max(1e9), 'requests in a window', 'requests: 1000').optional(),
  bytes: field(
    z.union([count, text]),
    'bytes of request and response bodies in a window: a number, or with its unit',
    'bytes: 100MiB',
  ).optional(),
  window: duration('length of the window', 'window: 1h'),
})

const dns = z.strictObject({
  ...nameLimits,
  rate: rate('how many queries one sandbox may send').optional(),
  hosts: field(
    z.record(text, text),
    "names that the resolver answers with an address of yours instead of the gateway's",
    'hosts: { db.internal.example: 10.0.0.5 }',
  ).optional(),
})

const rule = field(
  z.strictObject({
    allow: field(text, 'methods and a path that may be used', 'allow: GET,HEAD /rest/api/2/**').optional(),
    deny: field(text, 'methods and a path that may not be used', 'deny: DELETE /**').optional(),
  }),
  'a line that allows or denies: methods (or `*`), a space, a path pattern below the base path of the URL',
  '- allow: GET,HEAD /rest/api/2/**',
)

/** One key of `credential` for every kind in the table. */
function credentialSchema(kinds: readonly CredentialKind[]) {
  const entries = kinds.map(({ name, summary, fields, shorthand }) => {
    const shape = Object.fromEntries(
      Object.entries(fields).map(([key, { describe, secret, optional }]) => {
        const schema = field(text, describe, `${key}: ${secret ? '"${NAME}"' : 'value'}`)
        return [key, optional === true ? schema.optional() : schema]
      }),
    ) as Record<string, z.ZodString>
    const full = z.strictObject(shape)
    const example =
      shorthand === null ? `${name}: { ${Object.keys(fields).join(', ')} }` : `${name}: \${NAME}`
    const schema: z.ZodType<string | Record<string, string>> =
      shorthand === null ? full : z.union([text, full])
    return [name, field(schema, summary, example).optional()] as const
  })
  return z.strictObject({
    ...Object.fromEntries(entries),
    when: field(
      z.enum(['always', 'placeholder']),
      'whether every request gets the credential (`always`, as unless given), or only one that carries its placeholder',
      'when: placeholder',
    ).optional(),
    also: field(
      z.strictObject({
        headers: field(z.array(text).min(1), 'names of headers', 'headers: [Authorization]').optional(),
        query: field(z.array(text).min(1), 'names of parameters', 'query: [key]').optional(),
      }),
      'other places in which clients send the credential: a placeholder may stand there, and is taken out',
      'also: { headers: [Authorization] }',
    ).optional(),
  })
}

function serviceSchema(kinds: readonly CredentialKind[]) {
  return z.strictObject({
    url: field(
      text,
      'where the service is: scheme, host, optional port and base path',
      'url: https://api.example.com',
    ).optional(),
    targets: field(
      z.array(text).min(1),
      'several URLs instead of one `url`',
      'targets: [https://a.example.com, https://b.example.com:8443]',
    ).optional(),
    use: field(
      text,
      'a preset, which fills in what is not written beside it; `egress presets` lists them',
      'use: jira',
    ).optional(),
    credential: field(
      credentialSchema(kinds),
      'the credential that the gateway puts into requests to this service: exactly one kind',
      kinds[0]?.shorthand != null ? `credential: { ${kinds[0].name}: "\${NAME}" }` : 'credential: …',
    ).optional(),
    rules: field(
      z.array(rule).min(1),
      'what may be done there; the first line that matches decides, and nothing else is allowed',
      'rules: [{ allow: GET /** }]',
    ),
    rate: rate('how many requests one sandbox may send to this service').optional(),
    quota: field(
      quota,
      'how many requests and bytes one sandbox may use in a window',
      'quota: { requests: 1000, bytes: 100MiB, window: 1h }',
    ).optional(),
    sessions: field(
      z.enum(['drop', 'pass']),
      'whether cookies and tokens that a service with a credential hands out reach the sandbox; they do not unless said otherwise',
      'sessions: pass',
    ).optional(),
    env: field(
      z.record(text, text),
      'variables of the sandbox: text in quotes, in which {url}, {base_url} and {placeholder:NAME} are filled in',
      'env: { JIRA_SERVER: "{url}" }',
    ).optional(),
    private: field(
      flag,
      'whether the host may resolve to a private or loopback address',
      'private: true',
    ).optional(),
    plain: field(flag, 'whether a credential may go to an http:// URL', 'plain: true').optional(),
    ca: field(
      text,
      'a PEM file with the only authorities trusted for this service',
      'ca: ./ca.pem',
    ).optional(),
  })
}

const port = z.int().min(1).max(65_535)

const allowEntry = z.strictObject({
  host: field(text, 'a host: exact, `*.x` for one more label, `**.x` for any depth', 'host: pypi.org'),
  scheme: field(
    z.enum(['https', 'http']),
    'the scheme; https unless said otherwise',
    'scheme: https',
  ).optional(),
  ports: field(
    z.array(port).min(1),
    'the ports; the standard one unless said otherwise',
    'ports: [443]',
  ).optional(),
  methods: field(
    z.array(text).min(1),
    'the methods; any unless said otherwise',
    'methods: [GET, HEAD]',
  ).optional(),
  paths: field(
    z.array(text).min(1),
    'the path patterns; any unless said otherwise',
    'paths: [/simple/**]',
  ).optional(),
  tunnel: field(
    flag,
    'whether TLS is passed through unread, with host and port checked only',
    'tunnel: true',
  ).optional(),
  private: field(
    flag,
    'whether the host may resolve to a private or loopback address',
    'private: true',
  ).optional(),
  ca: field(text, 'a PEM file with the only authorities trusted for this host', 'ca: ./ca.pem').optional(),
  shared: field(
    flag,
    'whether a wildcard may stand under a suffix whose names anybody can get, such as `*.cloudfront.net`',
    'shared: true',
  ).optional(),
  names: field(
    names,
    'limits on the names under this wildcard, instead of those of `dns`',
    'names: { profile: random-labels }',
  ).optional(),
})

const some = z.union([z.literal('all'), z.array(text)])

const agent = z.strictObject({
  services: field(
    some,
    'the services that it may use, or `all`; none unless said otherwise',
    'services: [jira]',
  ).optional(),
  rules: field(
    z.record(text, z.array(rule).min(1)),
    'rules for some of the services, by name: what is done there must be allowed here and there',
    'rules: { jira: [{ allow: GET /** }] }',
  ).optional(),
  allow: field(
    some,
    'hosts of `allow` as written there, or `all`; none unless said otherwise',
    'allow: [pypi.org]',
  ).optional(),
})

const http = z.strictObject({
  max_request_bytes: field(
    z.union([count, text]),
    'the largest request body, in bytes or with its unit: B, KB, MB, GB, KiB, MiB or GiB',
    'max_request_bytes: 5GiB',
  ).optional(),
  response_timeout: duration('how long until a response must have begun', 'response_timeout: 60s').optional(),
  idle_timeout: duration('how long either side may be silent', 'idle_timeout: 5m').optional(),
  connect_timeout: duration('how long a connection may take', 'connect_timeout: 10s').optional(),
})

const upstream = z.strictObject({
  hosts: field(
    z.record(text, text),
    'addresses to dial for names: `address` or `address:port` for each',
    'hosts: { api.example.com: 127.0.0.1:8443 }',
  ).optional(),
  servers: field(
    z.array(text).min(1),
    'DNS servers for upstream names, as `address` or `address:port`',
    'servers: [127.0.0.1:53]',
  ).optional(),
})

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const

const settings = z.strictObject({
  audit_dir: field(
    text.min(1),
    'where the audit log is kept, relative to the policy file',
    'audit_dir: ./audit',
  ).optional(),
  log_level: field(z.enum(LOG_LEVELS), "how much the program's own log says", 'log_level: info').optional(),
})

/** The policy file. Descriptions are the reference; what relates one key to another is checked after the schema. */
export function policySchema(kinds: readonly CredentialKind[]) {
  return z.strictObject({
    services: field(
      z.record(
        text,
        field(serviceSchema(kinds), 'one service', 'jira: { url: https://jira.example.com, rules: […] }'),
      ),
      'services that the gateway knows by name, with their credentials and rules',
      'services: { jira: { url: https://jira.example.com, rules: [{ allow: GET /** }] } }',
    ).optional(),
    secrets: secretsSection.optional(),
    allow: field(
      z.array(field(allowEntry, 'a host that may be used without a credential', '- host: pypi.org')),
      'hosts that may be used without a credential',
      'allow: [{ host: pypi.org }]',
    ).optional(),
    agents: field(
      z.record(text, field(agent, 'what one agent may use', 'ci: { services: [jira], allow: all }')),
      'what each agent may use; without it there is one, `default`, that may use everything',
      'agents: { ci: { services: [jira], allow: all } }',
    ).optional(),
    dns: field(
      dns,
      'what names under a wildcard may look like, and how many there may be',
      'dns: { max_length: 64 }',
    ).optional(),
    http: field(http, 'limits of requests', 'http: { response_timeout: 60s }').optional(),
    upstream: field(
      upstream,
      'how the gateway finds the addresses of upstream names',
      'upstream: { servers: [127.0.0.1:53] }',
    ).optional(),
    settings: field(
      settings,
      'settings of the program; flags and environment win over them',
      'settings: { log_level: info }',
    ).optional(),
  })
}

export type PolicyFile = z.infer<ReturnType<typeof policySchema>>
export type ServiceFile = NonNullable<PolicyFile['services']>[string]
export type NamesFile = z.infer<typeof names>
export type AllowFile = NonNullable<PolicyFile['allow']>[number]
