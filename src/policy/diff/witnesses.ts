import type { HostPattern } from '#firewall/contracts/names.js'
import type { Destination } from '#firewall/contracts/policy.js'
import type { PathPattern, SegmentPattern } from '#firewall/contracts/rule.js'
import { isHttpRule, type HttpRule } from '#firewall/rules/http.js'

// Requests that stand for all others. What two lists of rules say differs somewhere exactly if it differs at one of these: names and
// paths in which each star is a text that no pattern names, and what two patterns have in common, at each depth.

/** No pattern names it. */
const FRESH = 'egress-diff'
/** Levels below a pattern that ends in `**`. */
const DEPTHS = [0, 1, 2, 3]
/** Methods of which every policy speaks, named or not. */
const METHODS = ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND', 'TRACE']

/** Names that a pattern matches. */
export function hostsOf(pattern: HostPattern): readonly string[] {
  if (pattern.kind === 'exact') return [pattern.host]
  const one = `${FRESH}.${pattern.suffix}`
  return pattern.recursive ? [one, `${FRESH}.${one}`] : [one]
}

/**
 * Methods and targets that stand for all requests that two lists of destinations could decide otherwise: at a rule that is not in both
 * lists, or not in the same place, and where such a rule meets another one.
 */
export function requestsOf(
  before: readonly Destination[],
  after: readonly Destination[],
  agent: string,
): { readonly methods: readonly string[]; readonly targets: readonly string[] } {
  const [a, b] = [rulesOf(before), rulesOf(after)]
  const [ownA, ownB] = [rulesOf(before, agent), rulesOf(after, agent)]
  const all = [...a, ...b, ...ownA, ...ownB]
  const methods = new Set([...METHODS, ...all.flatMap(({ match }) => match.methods ?? [])])
  const different = patternsOf([...differing(a, b), ...differing(ownA, ownB)])
  const others = patternsOf(all)
  const parameters = new Set(all.flatMap(({ match }) => match.parameter ?? []))
  const paths = new Set([`/${FRESH}`, ...others.flatMap(pathsOf)])
  for (const one of different)
    for (const other of others) for (const path of common(one, other)) paths.add(path)
  const targets = [...paths].flatMap((path) => [path, ...[...parameters].map((name) => `${path}?${name}=1`)])
  return { methods: [...methods], targets }
}

/** Rules of a service, or those of an agent. */
function rulesOf(destinations: readonly Destination[], agent?: string): HttpRule[] {
  return destinations
    .flatMap(({ rules, agentRules = {} }) => (agent === undefined ? rules : (agentRules[agent] ?? [])))
    .filter(isHttpRule)
}

/** What is between the beginning and the end that two lists have in common. */
function differing(a: readonly HttpRule[], b: readonly HttpRule[]): HttpRule[] {
  const isSame = (x: HttpRule | undefined, y: HttpRule | undefined) =>
    x !== undefined && y !== undefined && x.effect === y.effect && x.text === y.text
  let first = 0
  while (isSame(a[first], b[first])) first += 1
  let last = 0
  while (last < Math.min(a.length, b.length) - first && isSame(a.at(-1 - last), b.at(-1 - last))) last += 1
  return [...a.slice(first, a.length - last), ...b.slice(first, b.length - last)]
}

function patternsOf(rules: readonly HttpRule[]): PathPattern[] {
  return [...new Map(rules.map(({ match }) => [match.path.text, match.path])).values()]
}

function pathsOf({ segments, recursive }: PathPattern): string[] {
  const base = segments.map((segment) => `/${textOf(segment)}`).join('')
  if (!recursive) return [base === '' ? '/' : base]
  return DEPTHS.map((depth) => base + `/${FRESH}`.repeat(depth) || '/')
}

function textOf(segment: SegmentPattern): string {
  return 'literal' in segment ? segment.literal : segment.parts.join(FRESH)
}

/** Paths that both patterns match, where that can be told. */
function common(a: PathPattern, b: PathPattern): string[] {
  const [short, long] = a.segments.length <= b.segments.length ? [a, b] : [b, a]
  if (short.segments.length < long.segments.length && !short.recursive) return []
  const segments: string[] = []
  for (const [index, segment] of long.segments.entries()) {
    const other = short.segments[index]
    segments.push(other === undefined ? textOf(segment) : bothOf(segment, other))
  }
  const base = segments.map((text) => `/${text}`).join('')
  if (!long.recursive || !short.recursive) return [base === '' ? '/' : base]
  return DEPTHS.map((depth) => base + `/${FRESH}`.repeat(depth) || '/')
}

/** A text for two patterns of a segment; for two that have none, it matches neither. */
function bothOf(a: SegmentPattern, b: SegmentPattern): string {
  if ('literal' in a) return a.literal
  if ('literal' in b) return b.literal
  const longer = (x = '', y = '') => (x.length >= y.length ? x : y)
  const middle = [...a.parts.slice(1, -1), ...b.parts.slice(1, -1)]
  return [longer(a.parts[0], b.parts[0]), ...middle, longer(a.parts.at(-1), b.parts.at(-1))].join(FRESH)
}
