import { isDeepStrictEqual } from 'node:util'
import { coversHost, isDiagnostic, parseHostPattern, type HostPattern } from '#firewall/names/host-pattern.js'
import type { NameLimits } from '#firewall/names/name-profiles.js'
import { ANY_PATH, parsePathPattern, type PathPattern } from '#firewall/rules/path-pattern.js'
import type { Destination, Rule } from '#firewall/contracts/policy.js'
import { readCaBundle } from './ca-bundle.js'
import type { LoadContext } from './context.js'
import type { Path } from './issue.js'
import { readNameLimits } from './limits.js'
import { parseMethods, shadowedBy } from './rule.js'
import type { AllowFile } from './schema.js'
import { quote } from './redact-message.js'

/** One entry of `allow`; null when its host cannot be read. */
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
  const rules = file.tunnel === true ? [] : readRules(index, file, context)
  const host = parseHostPattern(file.host, file.shared === true)
  if (isDiagnostic(host)) {
    issues.add([...path, 'host'], host)
    return null
  }
  checkNames(file, host, path, context)
  const scheme = file.scheme ?? 'https'
  const ports = file.ports ?? [scheme === 'https' ? 443 : 80]
  if (new Set(ports).size < ports.length) {
    issues.add([...path, 'ports'], { problem: 'a port is named twice', fix: 'name every port once' })
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
    allowPrivateAddresses: file.private ?? false,
    ca,
    nameLimits:
      file.names === undefined ? null : readNameLimits(file.names, names, [...path, 'names'], issues),
  }
}

/** Limits on names and the leave to share a suffix mean something for wildcards only. */
function checkNames(file: AllowFile, host: HostPattern, path: Path, { issues }: LoadContext): void {
  const unneeded =
    file.shared === true && (host.kind === 'exact' || !isDiagnostic(parseHostPattern(file.host)))
      ? 'shared'
      : null
  if (unneeded !== null) {
    const problem = `\`shared\` says nothing about ${quote(host.text)}, whose names not just anybody can get`
    issues.add([...path, 'shared'], { problem, fix: 'remove `shared`' }, 'key')
  }
  if (file.names !== undefined && host.kind === 'exact') {
    const problem = `${quote(host.text)} is one name, and \`names\` limits those under a wildcard`
    issues.add([...path, 'names'], { problem, fix: 'remove `names`' }, 'key')
  }
}

function checkScheme(file: AllowFile, path: Path, { issues }: LoadContext): void {
  if (file.scheme === 'http') {
    for (const key of ['tunnel', 'ca'] as const) {
      if (file[key] === undefined || file[key] === false) continue
      const problem = `\`${key}\` says nothing about http, which has no TLS`
      issues.add([...path, key], { problem, fix: `remove \`${key}\`, or write \`scheme: https\`` }, 'key')
    }
  }
  if (file.tunnel !== true) return
  for (const key of ['methods', 'paths', 'ca'] as const) {
    if (file[key] === undefined || (key === 'ca' && file.scheme === 'http')) continue
    const problem = `\`${key}\` can never matter in a tunnel, whose content the gateway does not see`
    issues.add([...path, key], { problem, fix: `remove \`${key}\`, or remove \`tunnel\`` }, 'key')
  }
}

function readRules(index: number, file: AllowFile, { issues }: LoadContext): readonly Rule[] {
  const methods = file.methods === undefined ? null : parseMethods(file.methods)
  if (methods !== null && isDiagnostic(methods)) {
    issues.add(['allow', index, 'methods'], methods)
    return []
  }
  const rules: Rule[] = []
  for (const [number, text] of (file.paths ?? [ANY_PATH.text]).entries()) {
    const at = ['allow', index, 'paths', number]
    const path = parsePathPattern(text)
    if (isDiagnostic(path)) {
      issues.add(at, path)
      continue
    }
    const rule = allowRule(index, methods, path)
    const [over] = shadowedBy(rule, rules) ?? []
    if (over !== undefined) {
      const problem = `${quote(text)} adds nothing to ${quote(over.path.text)} before it`
      issues.add(at, { problem, fix: 'remove one of the two' })
    }
    rules.push(rule)
  }
  return rules
}

function allowRule(index: number, methods: readonly string[] | null, path: PathPattern): Rule {
  return {
    effect: 'allow',
    methods,
    path,
    text: `${methods?.join(',') ?? '*'} ${path.text}`,
    id: `allow[${index}]`,
  }
}

/**
 * Reports entries that can never decide. The policy engine prefers an exact name to any wildcard and a nearer suffix to a
 * farther one, so only entries that it finds in the same place can shadow each other: `pypi.org` below `*.org.example`
 * is no repetition but the way to say more about one name.
 */
export function checkAllowConflicts(allow: readonly Destination[], { issues }: LoadContext): void {
  for (const [position, entry] of allow.entries()) {
    const path: Path = ['allow', Number(/\d+/.exec(entry.id)?.[0]), 'host']
    const rivals = allow.slice(0, position).filter((other) => rival(other, entry))
    const shadow = rivals.find((other) => covers(other, entry))
    const otherNames = allow
      .slice(0, position)
      .find((other) => sameText(other, entry) && !isDeepStrictEqual(other.nameLimits, entry.nameLimits))
    if (otherNames !== undefined) {
      issues.add([...path.slice(0, -1), 'names'], {
        problem: `${quote(entry.host.text)} has other limits in ${otherNames.id} than in ${entry.id}`,
        fix: 'write the same `names` in both: a name is looked up before its port is known',
      })
    }
    const mixed = rivals.find(({ mode }) => mode !== entry.mode)
    if (mixed !== undefined) {
      issues.add(path, {
        problem: `${quote(entry.host.text)} is a tunnel in one of ${mixed.id} and ${entry.id}, and read in the other`,
        fix: 'decide for one: a connection is either passed through or read',
      })
    } else if (shadow !== undefined) {
      issues.add(path, {
        problem: `${quote(entry.host.text)} (${entry.id}) can never decide: ${quote(shadow.host.text)} (${shadow.id}) matches first`,
        fix: `remove ${entry.id}, or narrow ${shadow.id}`,
      })
    }
  }
}

/** True when one connection can match both. */
function rival(a: Destination, b: Destination): boolean {
  return sameBucket(a, b) && a.scheme === b.scheme && a.ports.some((port) => b.ports.includes(port))
}

function sameText(a: Destination, b: Destination): boolean {
  return a.host.text === b.host.text
}

function sameBucket({ host: a }: Destination, { host: b }: Destination): boolean {
  if (a.kind === 'exact' || b.kind === 'exact') return a.kind === b.kind && a.text === b.text
  return a.suffix === b.suffix
}

function covers(outer: Destination, inner: Destination): boolean {
  return (
    coversHost(outer.host, inner.host) &&
    inner.ports.every((port) => outer.ports.includes(port)) &&
    inner.rules.every((rule) => shadowedBy(rule, outer.rules) !== null)
  )
}
