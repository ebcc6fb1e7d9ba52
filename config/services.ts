import { describeOrigin } from '#firewall/judge/describe.js'
import { isDiagnostic } from '#firewall/names/host-pattern.js'
import type { Credential, CredentialLocations } from '#firewall/contracts/credential.js'
import type { Destination, Rule, Service, ServiceTarget } from '#firewall/contracts/policy.js'
import { readCaBundle } from './ca-bundle.js'
import type { LoadContext } from './context.js'
import { resolveCredential } from './credential.js'
import { serviceEnvironment } from './environment.js'
import type { Path } from './issue.js'
import { presetOf } from './presets/expand.js'
import { joinPath } from './rule.js'
import { readRules } from './rules.js'
import { readQuota } from './limits.js'
import { checkBuckets } from './s3-bucket.js'
import type { ServiceFile } from './schema.js'
import { quote } from './redact-message.js'
import { parseTargetUrl } from './target-url.js'

export interface BuiltService {
  readonly service: Service
  readonly destinations: readonly Destination[]
  /** Names of the secrets that its credential refers to. */
  readonly secrets: readonly string[]
  /** As the policy writes them, below the base path. */
  readonly rules: readonly Rule[]
}

/** Names are path segments of the base-URL listener and parts of variable names. */
const SERVICE_NAME = /^[a-z][a-z0-9_-]{0,62}$/

/** One service of the file, and one destination for every target of it. */
export function buildService(name: string, file: ServiceFile, context: LoadContext): BuiltService {
  const path: Path = ['services', name]
  const { issues } = context
  if (!SERVICE_NAME.test(name)) {
    const fix = 'use lower-case letters, digits, `-` and `_`, with a letter first'
    issues.add(path, { problem: `${quote(name)} cannot be the name of a service`, fix }, 'key')
  }
  const targets = readTargets(file, path, context)
  const rules = readRules(file.rules, [...path, 'rules'], context.issues)
  const { when = 'always', also = {}, ...kinds } = file.credential ?? {}
  const resolved =
    file.credential === undefined
      ? { credential: null, placeholders: {}, names: [] }
      : resolveCredential(name, kinds, [...path, 'credential'], context, presetOf(file.use)?.placeholders)
  checkPlain(file, resolved.credential, targets, path, context)
  checkCredentialKeys(file, resolved.credential, path, context)
  const ca = readCaBundle(file.ca, [...path, 'ca'], context)
  if (
    file.ca !== undefined &&
    targets.length > 0 &&
    targets.every(({ origin }) => origin.scheme === 'http')
  ) {
    issues.add(
      [...path, 'ca'],
      { problem: '`ca` says nothing about an http:// URL', fix: 'remove it, or use https://' },
      'key',
    )
  }
  const naming = { service: name, secrets: resolved.names, targets: targets.length }
  const service: Service = {
    name,
    targets,
    credential: resolved.credential,
    locations: widenLocations(resolved.credential?.locations ?? {}, also),
    injectWhen: when,
    sessionHeaders: file.sessions ?? 'drop',
    quota: readQuota(file.quota, [...path, 'quota'], issues),
    rate: file.rate === undefined ? null : { perSecond: file.rate.per_second, burst: file.rate.burst },
    environment: serviceEnvironment(naming, file.env ?? {}, [...path, 'env'], issues),
    placeholders: resolved.placeholders,
  }
  const destinations = targets.map(({ origin, basePath }): Destination => ({
    id: `services.${name}`,
    label: name,
    host: { kind: 'exact', host: origin.host, text: origin.host },
    scheme: origin.scheme,
    ports: [origin.port],
    mode: 'intercept',
    rules: rules.map((rule) => ({ ...rule, path: joinPath(basePath, rule.path) })),
    service: name,
    allowPrivateAddresses: file.private ?? false,
    ca: origin.scheme === 'https' ? ca : null,
    nameLimits: null,
  }))
  if (resolved.credential !== null)
    checkBuckets(destinations, (index) => targetPath(file, path, index), issues)
  return { service, destinations, secrets: resolved.names, rules }
}

function readTargets(file: ServiceFile, path: Path, { issues }: LoadContext): readonly ServiceTarget[] {
  if ((file.url === undefined) === (file.targets === undefined)) {
    const fix = 'write either `url: https://…`, or `targets: [https://…, https://…]`'
    const problem =
      file.url === undefined ? 'the service has no `url`' : 'the service has both `url` and `targets`'
    issues.add(path, { problem, fix }, 'key')
    return []
  }
  const given = file.url === undefined ? (file.targets ?? []) : [file.url]
  const targets: ServiceTarget[] = []
  for (const [index, text] of given.entries()) {
    const at = targetPath(file, path, index)
    const target = parseTargetUrl(text)
    if (isDiagnostic(target)) {
      issues.add(at, target)
    } else if (targets.some(({ origin }) => sameOrigin(origin, target.origin))) {
      issues.add(at, {
        problem: 'two targets of this service have the same scheme, host and port',
        fix: 'keep one, with the path that both begin with, and say the rest in `rules`',
      })
    } else targets.push(target)
  }
  return targets
}

function targetPath(file: ServiceFile, path: Path, index: number): Path {
  return file.url === undefined ? [...path, 'targets', index] : [...path, 'url']
}

export function sameOrigin(a: ServiceTarget['origin'], b: ServiceTarget['origin']): boolean {
  return a.scheme === b.scheme && a.host === b.host && a.port === b.port
}

/** Without these a request is another one, or none. */
const ESSENTIAL = new Set([
  'host',
  'content-length',
  'content-type',
  'transfer-encoding',
  'accept-encoding',
  'connection',
])

function widenLocations(
  locations: CredentialLocations,
  also: { headers?: string[] | undefined; query?: string[] | undefined },
): CredentialLocations {
  const headers = [...(locations.headers ?? []), ...(also.headers ?? []).map((name) => name.toLowerCase())]
  const query = [...(locations.query ?? []), ...(also.query ?? [])]
  return {
    ...locations,
    ...(headers.length === 0 ? {} : { headers }),
    ...(query.length === 0 ? {} : { query }),
  }
}

/** Keys that say something about a credential, where there is none that they could speak of. */
function checkCredentialKeys(
  file: ServiceFile,
  credential: Credential | null,
  path: Path,
  { issues }: LoadContext,
): void {
  if (file.sessions !== undefined && file.credential === undefined) {
    const problem = '`sessions` says nothing about a service without a credential, whose cookies pass anyway'
    issues.add([...path, 'sessions'], { problem, fix: 'remove it' }, 'key')
  }
  const { headers, query, cookies, path: inPath } = credential?.locations ?? {}
  for (const [index, header] of (file.credential?.also?.headers ?? []).entries()) {
    if (/^[A-Za-z0-9-]+$/.test(header) && !ESSENTIAL.has(header.toLowerCase())) continue
    issues.add([...path, 'credential', 'also', 'headers', index], {
      problem: `the header ${quote(header)} cannot hold a credential`,
      fix: 'write the name of a header such as `Authorization`',
    })
  }
  if (file.credential?.when !== 'placeholder' || credential === null) return
  if (headers ?? query ?? cookies ?? inPath) return
  issues.add([...path, 'credential', 'when'], {
    problem: `a credential of the kind ${quote(credential.kind)} has no place in which a placeholder could stand`,
    fix: 'remove `when`',
  })
}

/** Threat: a credential on an http:// connection is read by everybody on the way. */
function checkPlain(
  file: ServiceFile,
  credential: Credential | null,
  targets: readonly ServiceTarget[],
  path: Path,
  { issues }: LoadContext,
): void {
  const index = targets.findIndex(({ origin }) => origin.scheme === 'http')
  const exposed = index >= 0 && file.credential !== undefined
  if (exposed && file.plain !== true) {
    issues.add(targetPath(file, path, index), {
      problem: 'the credential would go over an unencrypted http:// connection',
      fix: 'use https://, or write `plain: true` if the network is trusted (a test on this machine)',
    })
  }
  const unencrypted = credential?.endpoints?.find(({ scheme }) => scheme === 'http')
  if (unencrypted !== undefined && file.plain !== true) {
    issues.add([...path, 'credential'], {
      problem: `the credential would be fetched from ${quote(describeOrigin(unencrypted))} over an unencrypted connection`,
      fix: 'use https://, or write `plain: true` if the network is trusted (a test on this machine)',
    })
  }
  if (index >= 0 && credential?.clientCertificate !== undefined) {
    issues.add([...path, 'credential'], {
      problem: 'a client certificate can be shown on https:// connections only',
      fix: 'use https://',
    })
  }
  if (file.plain === true && !exposed && unencrypted === undefined && targets.length > 0) {
    issues.add(
      [...path, 'plain'],
      { problem: '`plain` says nothing here: no credential goes to an http:// URL', fix: 'remove it' },
      'key',
    )
  }
}
