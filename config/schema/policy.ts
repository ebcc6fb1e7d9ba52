import * as z from 'zod'
import type { CredentialKind } from '#firewall/contracts/credential.js'
import { NAME_PROFILES, type NameProfile } from '#firewall/names/name-profiles.js'
import { expectations } from './expectations.js'
import { approvals } from './approvals.js'
import { audit } from './audit.js'
import { count, duration, field, flag, text } from './parts.js'
import { graphql, grpc, rule } from './rules.js'
import { secretsSection } from './secrets.js'
import { upstream } from './upstream.js'

/** Limits on names under a wildcard, for all of them or for one. */
const nameLimits = {
  profile: field(
    z.enum(Object.keys(NAME_PROFILES) as [NameProfile, ...NameProfile[]]),
    'the base limits: `default`, `strict`, or `random-labels` for machine-generated names',
    'profile: strict',
  ).optional(),
  max_length: field(
    count.max(253),
    'maximum characters of all labels that the wildcard matches',
    'max_length: 64',
  ).optional(),
  max_label: field(
    count.max(63),
    'maximum characters of one label that the wildcard matches',
    'max_label: 40',
  ).optional(),
  max_entropy: field(
    z.number().min(0).max(8),
    'maximum entropy of one label of 16 or more characters, in bits per character',
    'max_entropy: 4.2',
  ).optional(),
  max_total_entropy: field(
    z.number().min(0).max(8),
    'maximum entropy of all labels that the wildcard matches, in bits per character',
    'max_total_entropy: 4.5',
  ).optional(),
  names_per_window: field(
    count.max(2048),
    'maximum new names under one wildcard per window',
    'names_per_window: 16',
  ).optional(),
  bytes_per_window: field(
    count.max(1e6),
    'maximum bytes of new names under one wildcard per window',
    'bytes_per_window: 256',
  ).optional(),
  window: duration('the length of the window', 'window: 10m').optional(),
  bytes_per_day: field(
    count.max(1e7),
    'maximum bytes of new names under one wildcard per day',
    'bytes_per_day: 2048',
  ).optional(),
}

const nameLimitsOfEntry = z.strictObject(nameLimits)

const passHeaders = field(
  z.array(text).min(1),
  'headers to pass on that are dropped by default, because they can steer a server to another path, host or client',
  'pass_headers: [X-Forwarded-Proto]',
).optional()

const addresses = field(
  z.array(text).min(1),
  'ranges of addresses in which the host may be, beyond the public ones',
  'addresses: [203.0.113.0/24]',
).optional()

const rate = (description: string) =>
  field(
    z.strictObject({
      per_second: field(z.number().positive().max(1e6), 'the sustained rate per second', 'per_second: 10'),
      burst: field(z.int().min(1).max(1e6), 'the largest burst', 'burst: 20'),
    }),
    description,
    'rate: { per_second: 10, burst: 20 }',
  )

const quota = z.strictObject({
  requests: field(z.int().min(1).max(1e9), 'maximum requests per window', 'requests: 1000').optional(),
  bytes: field(
    z.union([count, text]),
    'maximum bytes of request and response bodies per window, as a number or with a unit',
    'bytes: 100MiB',
  ).optional(),
  window: duration('the length of the window', 'window: 1h'),
})

const dns = z.strictObject({
  ...nameLimits,
  rate: rate('the rate limit for the DNS queries of one sandbox').optional(),
  hosts: field(
    z.record(text, text),
    'names with fixed addresses, for hosts that sandboxes reach without the gateway',
    'hosts: { db.internal.example: 10.0.0.5 }',
  ).optional(),
})

/** One key of `credential` for every kind in the table. */
function credentialSchema(kinds: readonly CredentialKind[]) {
  const entries = kinds.map(({ name, summary, fields, shorthand }) => {
    const keys = Object.fromEntries(
      Object.entries(fields).map(([key, { describe, secret, optional }]) => {
        const schema = field(text, describe, `${key}: ${secret ? '"${NAME}"' : 'value'}`)
        return [key, optional === true ? schema.optional() : schema]
      }),
    ) as Record<string, z.ZodString>
    const full = z.strictObject(keys)
    const example =
      shorthand === null ? `${name}: { ${Object.keys(fields).join(', ')} }` : `${name}: \${NAME}`
    const schema: z.ZodType<string | Record<string, string>> =
      shorthand === null ? full : z.union([text, full])
    return [name, field(schema, summary, example).optional()] as const
  })
  return z.strictObject({
    ...Object.fromEntries(entries),
    inject: field(
      z.enum(['always', 'on_placeholder']),
      '`always` (default) to inject the credential into every request, or `on_placeholder` only into requests that contain its placeholder',
      'inject: on_placeholder',
    ).optional(),
    also_in: field(
      z.strictObject({
        headers: field(z.array(text).min(1), 'header names', 'headers: [Authorization]').optional(),
        query: field(z.array(text).min(1), 'names of query parameters', 'query: [key]').optional(),
      }),
      'other locations in which clients send the credential; they are cleared, and a placeholder is allowed in them',
      'also_in: { headers: [Authorization] }',
    ).optional(),
  })
}

function serviceSchema(kinds: readonly CredentialKind[]) {
  return z.strictObject({
    url: field(
      text,
      'the URL of the service: scheme, host, optional port and base path',
      'url: https://api.example.com',
    ).optional(),
    targets: field(
      z.array(text).min(1),
      'several URLs instead of one `url`',
      'targets: [https://a.example.com, https://b.example.com:8443]',
    ).optional(),
    use: field(
      text,
      'a preset, which sets the keys that you leave out; `egress presets` lists them',
      'use: jira',
    ).optional(),
    credential: field(
      credentialSchema(kinds),
      'the credential that the gateway injects into requests to this service: exactly one type',
      kinds[0]?.shorthand != null ? `credential: { ${kinds[0].name}: "\${NAME}" }` : 'credential: …',
    ).optional(),
    rules: field(
      z.array(rule).min(1),
      'the requests to allow; the first rule that matches decides, and all others are denied',
      'rules: [{ allow: GET /** }]',
    ).optional(),
    grpc,
    graphql,
    extra_rules: field(
      z.array(rule).min(1),
      'rules to check before those of the preset',
      'extra_rules: [{ allow: GET /feeds }]',
    ).optional(),
    rate: rate('the rate limit for the requests of one sandbox to this service').optional(),
    quota: field(
      quota,
      'how many requests and bytes one sandbox may use per window',
      'quota: { requests: 1000, bytes: 100MiB, window: 1h }',
    ).optional(),
    session_headers: field(
      z.enum(['drop', 'pass']),
      '`pass` to let session cookies and tokens reach the sandbox, or `drop` (default) to remove them',
      'session_headers: pass',
    ).optional(),
    pass_headers: passHeaders,
    env: field(
      z.record(text, text),
      'environment variables of the sandbox: text in quotes, with {url}, {base_url} and {placeholder:NAME} expanded',
      'env: { JIRA_SERVER: "{url}" }',
    ).optional(),
    allow_private_addresses: field(
      flag,
      'true to let the host resolve to a private or loopback address',
      'allow_private_addresses: true',
    ).optional(),
    allow_plaintext: field(
      flag,
      'true to let a credential go to an http:// URL',
      'allow_plaintext: true',
    ).optional(),
    addresses,
    ca: field(text, 'a PEM file with the only CAs trusted for this service', 'ca: ./ca.pem').optional(),
  })
}

const port = z.int().min(1).max(65_535)

const allowEntry = z.strictObject({
  host: field(text, 'an exact host, or `*.x` for one more label, `**.x` for one or more', 'host: pypi.org'),
  scheme: field(z.enum(['https', 'http']), 'the scheme (default: https)', 'scheme: https').optional(),
  ports: field(z.array(port).min(1), 'the ports (default: 443, or 80 with http)', 'ports: [443]').optional(),
  methods: field(z.array(text).min(1), 'the methods (default: any)', 'methods: [GET, HEAD]').optional(),
  paths: field(z.array(text).min(1), 'the path patterns (default: any)', 'paths: [/simple/**]').optional(),
  grpc,
  graphql,
  pass_headers: passHeaders,
  tunnel: field(flag, 'true to pass TLS through without inspection', 'tunnel: true').optional(),
  allow_private_addresses: field(
    flag,
    'true to let the host resolve to a private or loopback address',
    'allow_private_addresses: true',
  ).optional(),
  addresses,
  ca: field(text, 'a PEM file with the only CAs trusted for this host', 'ca: ./ca.pem').optional(),
  allow_public_suffix: field(
    flag,
    'true to allow a wildcard under a suffix where anyone can register names, such as `*.cloudfront.net`',
    'allow_public_suffix: true',
  ).optional(),
  name_limits: field(
    nameLimitsOfEntry,
    'limits on the names under this wildcard, instead of those of `dns`',
    'name_limits: { profile: random-labels }',
  ).optional(),
})

const some = z.union([z.literal('all'), z.array(text)])

const agent = z.strictObject({
  services: field(
    some,
    'the services that the agent may use, or `all` (default: none)',
    'services: [jira]',
  ).optional(),
  rules: field(
    z.record(text, z.array(rule).min(1)),
    'rules that restrict services, by service name: these rules and those of the service must both allow a request',
    'rules: { jira: [{ allow: GET /** }] }',
  ).optional(),
  allow: field(
    some,
    'hosts of `allow` in the same spelling, or `all` (default: none)',
    'allow: [pypi.org]',
  ).optional(),
  kubernetes: field(
    z.array(text).min(1),
    'service accounts whose pods are this agent, as `NAMESPACE/SERVICE-ACCOUNT`',
    'kubernetes: [team-a/coder]',
  ).optional(),
})

const http = z.strictObject({
  max_request_bytes: field(
    z.union([count, text]),
    'the largest request body, in bytes or with a unit: B, KB, MB, GB, KiB, MiB or GiB',
    'max_request_bytes: 5GiB',
  ).optional(),
  response_timeout: duration('the longest time until a response begins', 'response_timeout: 15m').optional(),
  idle_timeout: duration('the longest time without data from either side', 'idle_timeout: 15m').optional(),
  connect_timeout: duration('the longest time to connect', 'connect_timeout: 10s').optional(),
})

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const

export const AUDIT_LOST = ['stop', 'reopen'] as const

const sandboxLimits = z.strictObject({
  connections: field(
    count.min(1).max(1e6),
    'open connections of one sandbox',
    'connections: 1024',
  ).optional(),
  total_connections: field(
    count.min(1).max(1e6),
    'open connections of all sandboxes',
    'total_connections: 4096',
  ).optional(),
  requests: field(count.min(1).max(1e6), 'open requests of one sandbox', 'requests: 256').optional(),
  total_requests: field(
    count.min(1).max(1e6),
    'open requests of all sandboxes',
    'total_requests: 2048',
  ).optional(),
  memory: field(
    z.union([count, text]),
    'memory of one sandbox, in bytes or with a unit',
    'memory: 64MiB',
  ).optional(),
  total_memory: field(z.union([count, text]), 'memory of all sandboxes', 'total_memory: 256MiB').optional(),
  certificates: rate('new certificates of one sandbox').optional(),
})

const settings = z.strictObject({
  limits: field(
    sandboxLimits,
    'what sandboxes may hold of the gateway at once',
    'limits: { requests: 512 }',
  ).optional(),
  audit_dir: field(
    text.min(1),
    'the directory of the audit log, relative to the policy file',
    'audit_dir: ./audit',
  ).optional(),
  audit_lost: field(
    z.enum(AUDIT_LOST),
    'whether traffic stops when the file of the audit log was moved, replaced or cut, or a new file is begun',
    'audit_lost: reopen',
  ).optional(),
  log_level: field(z.enum(LOG_LEVELS), "the level of the program's own log", 'log_level: info').optional(),
})

/** The policy file. The descriptions are the reference. Relations between keys are checked after the schema. */
export function policySchema(kinds: readonly CredentialKind[]) {
  return z.strictObject({
    services: field(
      z.record(
        text,
        field(serviceSchema(kinds), 'one service', 'jira: { url: https://jira.example.com, rules: […] }'),
      ),
      'services by name, with their credentials and rules',
      'services: { jira: { url: https://jira.example.com, rules: [{ allow: GET /** }] } }',
    ).optional(),
    secrets: secretsSection.optional(),
    allow: field(
      z.array(field(allowEntry, 'a host without a credential', '- host: pypi.org')),
      'hosts without a credential',
      'allow: [{ host: pypi.org }]',
    ).optional(),
    agents: field(
      z.record(
        text,
        field(agent, 'the services and hosts of one agent', 'ci: { services: [jira], allow: all }'),
      ),
      'the services and hosts of each agent (default: one agent, `default`, that may use everything)',
      'agents: { ci: { services: [jira], allow: all } }',
    ).optional(),
    quiet: field(
      z.array(text).min(1),
      'hosts of whose refusals the end of a run says nothing, such as telemetry',
      'quiet: [telemetry.example.com]',
    ).optional(),
    tests: expectations,
    dns: field(
      dns,
      'limits on names under wildcards, and on DNS queries',
      'dns: { max_length: 64 }',
    ).optional(),
    audit: field(
      audit,
      'what becomes of the audit log once it is written; environment variables override it',
      'audit: { keep: 30d, max: 20GiB, compress: gzip }',
    ).optional(),
    approvals: field(
      approvals,
      'how requests are held that `ask` rules match, until a person approves or denies them',
      'approvals: { hold: 20s, expire: 1h }',
    ).optional(),
    http: field(http, 'limits on requests', 'http: { response_timeout: 15m }').optional(),
    upstream: field(
      upstream,
      'how the gateway finds and reaches upstreams',
      'upstream: { servers: [127.0.0.1:53] }',
    ).optional(),
    settings: field(
      settings,
      'settings of the program; flags and environment variables override them',
      'settings: { log_level: info }',
    ).optional(),
  })
}

export type PolicyFile = z.infer<ReturnType<typeof policySchema>>
export type ServiceFile = NonNullable<PolicyFile['services']>[string]
export type NameLimitsFile = z.infer<typeof nameLimitsOfEntry>
export type AllowFile = NonNullable<PolicyFile['allow']>[number]
