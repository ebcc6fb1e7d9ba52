import type { CredentialLocations } from '#firewall/contracts/credential.js'
import type { Destination } from '#firewall/contracts/policy.js'
import type { Rule } from '#firewall/contracts/rule.js'
import type { Service } from '#firewall/contracts/service.js'
import { readAddresses } from '../limits/addresses.js'
import { readCaBundle } from '../files/ca-bundle.js'
import type { Path } from '../issues/issue.js'
import { quote } from '../issues/quote.js'
import { readQuota } from '../limits/limits.js'
import { readPassHeaders } from '../limits/pass-headers.js'
import { presetOf } from '../presets/expand.js'
import type { ServiceFile } from '../schema/policy.js'
import type { LoadContext } from './context.js'
import { checkCredentialKeys, checkPlaintext } from './credential-checks.js'
import { resolveCredential } from './credential.js'
import { serviceEnvironment } from './environment.js'
import { readAllRules } from './rules.js'
import { checkBuckets } from './s3-bucket.js'
import { readTargets, targetPath } from './targets.js'

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

/** One service of the file, and one destination per target. */
export function buildService(name: string, file: ServiceFile, context: LoadContext): BuiltService {
  const path: Path = ['services', name]
  const { issues, ruleKinds } = context
  if (!SERVICE_NAME.test(name)) {
    const fix = 'Use lower-case letters, digits, `-` and `_`, beginning with a letter'
    issues.add(path, { problem: `Invalid service name ${quote(name)}`, fix }, 'key')
  }
  const targets = readTargets(file, path, issues)
  const rules = readAllRules(file, path, ruleKinds, issues)
  const { inject = 'always', also_in: alsoIn = {}, ...kinds } = file.credential ?? {}
  const resolved =
    file.credential === undefined
      ? { credential: null, placeholders: {}, names: [] }
      : resolveCredential(name, kinds, [...path, 'credential'], context, presetOf(file.use)?.placeholders)
  checkPlaintext(file, resolved.credential, targets, path, issues)
  checkCredentialKeys(file, resolved.credential, path, issues)
  const ca = readCaBundle(file.ca, [...path, 'ca'], context)
  if (
    file.ca !== undefined &&
    targets.length > 0 &&
    targets.every(({ origin }) => origin.scheme === 'http')
  ) {
    const problem = '`ca` has no effect on an http:// URL'
    issues.add([...path, 'ca'], { problem, fix: 'Remove `ca`, or use https://' }, 'key')
  }
  const naming = { service: name, secrets: resolved.names, targets: targets.length }
  const service: Service = {
    name,
    targets,
    credential: resolved.credential,
    locations: widenLocations(resolved.credential?.locations ?? {}, alsoIn),
    injectWhen: inject,
    sessionHeaders: file.session_headers ?? 'drop',
    quota: readQuota(file.quota, [...path, 'quota'], issues),
    rate: file.rate === undefined ? null : { perSecond: file.rate.per_second, burst: file.rate.burst },
    environment: serviceEnvironment(naming, file.env ?? {}, [...path, 'env'], issues),
    placeholders: resolved.placeholders,
  }
  const addresses = readAddresses(file.addresses, [...path, 'addresses'], issues)
  const passHeaders = readPassHeaders(file.pass_headers, path, issues)
  const destinations = targets.map(({ origin, basePath }): Destination => ({
    id: `services.${name}`,
    label: name,
    host: { kind: 'exact', host: origin.host, text: origin.host },
    scheme: origin.scheme,
    ports: [origin.port],
    mode: 'intercept',
    rules: rules.map((rule) => ruleKinds.below(rule, basePath)),
    service: name,
    allowPrivateAddresses: file.allow_private_addresses ?? false,
    addresses,
    ca: origin.scheme === 'https' ? ca : null,
    passHeaders,
    nameLimits: null,
  }))
  if (resolved.credential !== null)
    checkBuckets(destinations, (index) => targetPath(file, path, index), issues)
  return { service, destinations, secrets: resolved.names, rules }
}

function widenLocations(
  locations: CredentialLocations,
  alsoIn: { headers?: string[] | undefined; query?: string[] | undefined },
): CredentialLocations {
  const headers = [...(locations.headers ?? []), ...(alsoIn.headers ?? []).map((name) => name.toLowerCase())]
  const query = [...(locations.query ?? []), ...(alsoIn.query ?? [])]
  return {
    ...locations,
    ...(headers.length === 0 ? {} : { headers }),
    ...(query.length === 0 ? {} : { query }),
  }
}
