import { defaultPort } from '#firewall/names/default-port.js'
import { isDiagnostic } from '#firewall/contracts/diagnostic.js'
import type { HostPattern, NameLimits } from '#firewall/contracts/names.js'
import type { Destination } from '#firewall/contracts/policy.js'
import type { Rule } from '#firewall/contracts/rule.js'
import { parseHostPattern } from '#firewall/names/host-pattern.js'
import { parseMethods, type HttpRule } from '#firewall/rules/http.js'
import { ANY_PATH, parsePathPattern } from '#firewall/rules/path-pattern.js'
import { readAddresses } from '../limits/addresses.js'
import { readCaBundle } from '../files/ca-bundle.js'
import type { Path } from '../issues/issue.js'
import { quote } from '../issues/quote.js'
import { readNameLimits } from '../limits/limits.js'
import { readPassHeaders } from '../limits/pass-headers.js'
import type { AllowFile } from '../schema/policy.js'
import type { LoadContext } from '../services/context.js'
import { readGraphqlRules } from '../services/graphql-rules.js'
import { readGrpcRules } from '../services/grpc-rules.js'

/** One entry of `allow`; null if its host is invalid. */
export function buildAllow(
  index: number,
  file: AllowFile,
  names: NameLimits,
  context: LoadContext,
): Destination | null {
  const path: Path = ['allow', index]
  const { issues } = context
  checkScheme(file, path, context)
  const ca = readCaBundle(file.ca, [...path, 'ca'], context)
  const calls = [
    ...readGrpcRules(file.grpc, [...path, 'grpc'], context.ruleKinds, issues),
    ...readGraphqlRules(file.graphql, [...path, 'graphql'], context.ruleKinds, issues),
  ]
  const hasCalls = file.grpc !== undefined || file.graphql !== undefined
  const onlyCalls = hasCalls && file.methods === undefined && file.paths === undefined
  const rules = file.tunnel === true ? [] : onlyCalls ? calls : [...calls, ...readPaths(index, file, context)]
  const host = parseHostPattern(file.host, file.allow_public_suffix === true)
  if (isDiagnostic(host)) {
    issues.add([...path, 'host'], host)
    return null
  }
  checkWildcardKeys(file, host, path, context)
  const scheme = file.scheme ?? 'https'
  const ports = file.ports ?? [defaultPort(scheme)]
  if (new Set(ports).size < ports.length) {
    issues.add([...path, 'ports'], { problem: 'Duplicate port', fix: 'List each port once' })
  }
  return {
    id: `allow[${index}]`,
    label: host.text,
    host,
    scheme,
    ports,
    mode: file.tunnel === true ? 'tunnel' : 'intercept',
    rules,
    service: null,
    allowPrivateAddresses: file.allow_private_addresses ?? false,
    addresses: readAddresses(file.addresses, [...path, 'addresses'], issues),
    ca,
    passHeaders: readPassHeaders(file.pass_headers, path, issues),
    nameLimits:
      file.name_limits === undefined
        ? null
        : readNameLimits(file.name_limits, names, [...path, 'name_limits'], issues),
  }
}

/** `name_limits` and `allow_public_suffix` have an effect on wildcards only. */
function checkWildcardKeys(file: AllowFile, host: HostPattern, path: Path, { issues }: LoadContext): void {
  const unneeded =
    file.allow_public_suffix === true && (host.kind === 'exact' || !isDiagnostic(parseHostPattern(file.host)))
  if (unneeded) {
    const problem = `\`allow_public_suffix\` has no effect: ${quote(host.text)} is not a wildcard under a public suffix`
    issues.add([...path, 'allow_public_suffix'], { problem, fix: 'Remove `allow_public_suffix`' }, 'key')
  }
  if (file.name_limits !== undefined && host.kind === 'exact') {
    const problem = `\`name_limits\` has no effect: ${quote(host.text)} is an exact host, not a wildcard`
    issues.add([...path, 'name_limits'], { problem, fix: 'Remove `name_limits`' }, 'key')
  }
}

function checkScheme(file: AllowFile, path: Path, { issues }: LoadContext): void {
  if (file.scheme === 'http') {
    for (const key of ['tunnel', 'ca'] as const) {
      if (file[key] === undefined || file[key] === false) continue
      const problem = `\`${key}\` has no effect with \`scheme: http\`, which has no TLS`
      issues.add([...path, key], { problem, fix: `Remove \`${key}\`, or write \`scheme: https\`` }, 'key')
    }
  }
  if (file.tunnel !== true) return
  for (const key of ['methods', 'paths', 'grpc', 'graphql', 'ca', 'pass_headers'] as const) {
    if (file[key] === undefined || (key === 'ca' && file.scheme === 'http')) continue
    const problem = `\`${key}\` has no effect with \`tunnel: true\`: tunneled traffic is not inspected`
    issues.add([...path, key], { problem, fix: `Remove \`${key}\`, or remove \`tunnel\`` }, 'key')
  }
}

/** An entry's `methods` and `paths` are HTTP rules, one per path. */
function readPaths(index: number, file: AllowFile, { issues, ruleKinds }: LoadContext): readonly Rule[] {
  const methods = file.methods === undefined ? null : parseMethods(file.methods)
  if (methods !== null && isDiagnostic(methods)) {
    issues.add(['allow', index, 'methods'], methods)
    return []
  }
  const rules: HttpRule[] = []
  for (const [number, text] of (file.paths ?? [ANY_PATH.text]).entries()) {
    const at = ['allow', index, 'paths', number]
    const path = parsePathPattern(text)
    if (isDiagnostic(path)) {
      issues.add(at, path)
      continue
    }
    const rule: HttpRule = {
      effect: 'allow',
      kind: 'http',
      match: { methods, path, parameter: null },
      text: `${methods?.join(',') ?? '*'} ${path.text}`,
      id: `allow[${index}]`,
    }
    const [over] = ruleKinds.shadowedBy(rule, rules) ?? []
    if (over !== undefined) {
      const problem = `Path ${quote(text)} has no effect: ${quote(over.match.path.text)} already matches it`
      issues.add(at, { problem, fix: 'Remove one of the two' })
    }
    rules.push(rule)
  }
  return rules
}
