import type { Diagnostic } from '../contracts/diagnostic.js'
import { isDiagnostic } from '../contracts/diagnostic.js'
import type { LoosePattern, Rule } from '../contracts/rule.js'
import { argumentsAgree, argumentsMayAgree, parseArguments, type ArgumentMatch } from './graphql-arguments.js'
import type { GraphqlValue } from './graphql-value.js'
import { loosePatterns, matchLoosely } from './loose-path.js'
import { parsePathPattern } from './path-pattern.js'
import type { RequestPath } from './request-path.js'
import type { RuleKind } from './rule-kind.js'

/** Types of operations, and a request that names a document which the server has. */
export type GraphqlType = 'query' | 'mutation' | 'subscription' | 'persisted'

export interface GraphqlMatch {
  /** The path of the endpoint, below which nothing counts. */
  readonly path: string
  /** The same as a lenient server could read it. */
  readonly loose: readonly LoosePattern[]
  /** Null for any operation. */
  readonly type: GraphqlType | null
  /** Name of a root field, perhaps with `*` at its end; the id of a persisted document. Null for any. */
  readonly field: string | null
  /** Whether the field may be at any depth; for deny rules. */
  readonly isNested: boolean
  readonly arguments: readonly ArgumentMatch[]
}

/** One root field of an operation that a server will run. */
export interface GraphqlField {
  readonly type: GraphqlType
  /** Its name, not its alias; the id of a persisted document. */
  readonly field: string
  readonly arguments: ReadonlyMap<string, GraphqlValue>
  /** Names of all fields of its operation, at any depth. */
  readonly nested: ReadonlySet<string>
}

/** The same at the endpoint that it was sent to. */
export interface GraphqlSubject extends GraphqlField {
  /** Canonical. */
  readonly path: string
}

export type GraphqlRule = Rule<'graphql', GraphqlMatch>

const KEYWORD = 'GRAPHQL'
const DEFAULT_PATH = '/graphql'
const FORM = /^(?:(\/\S*)\s+)?(\S+)\s+([^\s(]+)\s*(\(.*\))?$/s
const TYPES: readonly string[] = ['query', 'mutation', 'subscription', 'persisted'] satisfies GraphqlType[]
const NAME = /^[A-Za-z_]\w*\*?$/
const PERSISTED = /^[\w.:/+=-]{1,256}$/

/**
 * `GRAPHQL mutation createIssue`, `GRAPHQL query *`, `GRAPHQL query repository(owner=acme)`, `GRAPHQL * **.auditLog` or `GRAPHQL
 * persisted ID`; the path of the endpoint stands before the type where it is not `/graphql`. Names of GraphQL have one spelling, so a
 * deny rule is looser only in what it takes for an argument.
 */
export const graphql: RuleKind<GraphqlMatch, GraphqlSubject> = {
  name: 'graphql',
  keyword: KEYWORD,
  parse(text) {
    const body = text.trim().slice(KEYWORD.length).trim()
    const [, path = DEFAULT_PATH, type = '', name = '', given = ''] = FORM.exec(body) ?? []
    const isNested = name.startsWith('**.')
    const field = isNested ? name.slice(3) : name
    const isPersisted = type === 'persisted'
    const isType = type === '*' || TYPES.includes(type)
    const isField = isPersisted ? PERSISTED.test(field) && !isNested : isFieldPattern(field, isNested)
    if (!isType || !isField) return ruleError(text, body, isType)
    const pattern = parsePathPattern(path)
    if (isDiagnostic(pattern)) return pattern
    if (pattern.recursive || path.includes('*')) return pathError(text)
    const wanted = parseArguments(given, text)
    if (isDiagnostic(wanted)) return wanted
    if (wanted.length > 0 && (isPersisted || isNested)) return argumentsError(text)
    return matchOf(path, {
      type: type === '*' ? null : (type as GraphqlType),
      field: field === '*' ? null : field,
      isNested,
      arguments: wanted,
    })
  },
  denyOnly: ({ isNested }) => isNested,
  matches: (match, subject) => applies(match, subject) && argumentsAgree(match.arguments, subject.arguments),
  matchesLoosely: (match, subject) =>
    applies(match, subject) && argumentsMayAgree(match.arguments, subject.arguments),
  covers(earlier, later) {
    const over = earlier.findIndex((one) => covers(one, later))
    return over < 0 ? null : [over]
  },
  overlaps: (a, b) =>
    a.path === b.path &&
    (a.type === null || b.type === null || a.type === b.type) &&
    (a.isNested || b.isNested || namesAgree(a.field, b.field)),
  below: ({ path, ...rest }, basePath) => matchOf(`${basePath}${path}`, rest),
  explain(match) {
    const { type, field, isNested, path, arguments: wanted } = match
    if (type === 'persisted') return `run the persisted document ${field ?? ''} by GraphQL at ${path}`
    const kind = type ?? 'operation'
    const how = wanted.length === 0 ? '' : ` with ${wanted.map(({ text }) => text).join(' and ')}`
    if (isNested) return `run any ${kind} with the field ${field ?? ''} by GraphQL at ${path}`
    if (field === null) return `run any ${kind}${how} by GraphQL at ${path}`
    return `run the ${kind} ${field}${how} by GraphQL at ${path}`
  },
}

export function isGraphqlRule(rule: Rule): rule is GraphqlRule {
  return rule.kind === graphql.name
}

/**
 * Whether a server could take the path for the endpoint. Threat: what is sent to the endpoint in another spelling is decided by
 * rules of HTTP, which do not see what it asks for.
 */
export function mayBeEndpoint({ path, loose }: GraphqlMatch, request: RequestPath): boolean {
  return request.isEncodedTwice || request.readings.includes(path) || matchLoosely(loose, request.loose)
}

/** A root field in a few words, for denials and logs: `mutation createIssue`. */
export function describeField({ type, field }: Pick<GraphqlField, 'type' | 'field'>): string {
  return `${type} ${field}`
}

function matchOf(path: string, rest: Omit<GraphqlMatch, 'path' | 'loose'>): GraphqlMatch {
  return { path, loose: loosePatterns(path, false), ...rest }
}

function applies(match: GraphqlMatch, subject: GraphqlSubject): boolean {
  const { path, type, field, isNested } = match
  if (path !== subject.path) return false
  // Any operation is one that can be seen; a persisted one only the server knows.
  if (type === null ? subject.type === 'persisted' : type !== subject.type) return false
  if (type === 'persisted') return field === subject.field
  if (field === null) return true
  if (!isNested) return nameMatches(field, subject.field)
  if (!field.endsWith('*')) return subject.nested.has(field)
  for (const name of subject.nested) if (nameMatches(field, name)) return true
  return false
}

function nameMatches(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern
}

function isFieldPattern(field: string, isNested: boolean): boolean {
  return NAME.test(field) || (field === '*' && !isNested)
}

function covers(outer: GraphqlMatch, inner: GraphqlMatch): boolean {
  if (outer.path !== inner.path || (outer.type !== null && outer.type !== inner.type)) return false
  if (outer.type === null && inner.type === 'persisted') return false
  // What has a field as its root has it at some depth.
  if (!outer.isNested && inner.isNested && outer.field !== null) return false
  if (outer.field !== null) {
    if (inner.field === null) return false
    const bare = inner.field.replace(/\*$/, '')
    if (inner.field === bare ? !nameMatches(outer.field, bare) : !widens(outer.field, bare)) return false
  }
  return outer.arguments.every(({ text }) => inner.arguments.some((one) => one.text === text))
}

/** Whether a pattern matches all names that begin with this. */
function widens(pattern: string, prefix: string): boolean {
  return pattern.endsWith('*') && prefix.startsWith(pattern.slice(0, -1))
}

function namesAgree(a: string | null, b: string | null): boolean {
  if (a === null || b === null) return true
  const [shortA, shortB] = [a.replace(/\*$/, ''), b.replace(/\*$/, '')]
  return nameMatches(a, shortB) || nameMatches(b, shortA)
}

function ruleError(text: string, body: string, isType: boolean): Diagnostic {
  const problem = `Invalid GraphQL rule \`${text}\`: expected a type of operation and a root field`
  const [first = ''] = body.split(/[\s(]/, 1)
  const fix =
    !isType && NAME.test(first) && !TYPES.includes(first)
      ? `Write \`query ${first}\` or \`mutation ${first}\``
      : 'Write `query *`, `mutation createIssue`, or `* **.auditLog` for a field at any depth'
  return { problem, fix }
}

function pathError(text: string): Diagnostic {
  return {
    problem: `Invalid GraphQL rule \`${text}\`: the path of an endpoint is a path without \`*\``,
    fix: 'Write the path that clients send their operations to, such as `/graphql`',
  }
}

function argumentsError(text: string): Diagnostic {
  return {
    problem: `Invalid GraphQL rule \`${text}\`: only root fields have arguments here`,
    fix: 'Remove the arguments, or name a root field',
  }
}
