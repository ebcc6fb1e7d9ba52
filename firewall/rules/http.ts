import { METHODS } from 'node:http'
import { isDiagnostic, type Diagnostic } from '../contracts/diagnostic.js'
import type { PathPattern, Rule } from '../contracts/rule.js'
import { nearest } from './nearest.js'
import { matchLoosely, type LoosePath } from './loose-path.js'
import { methodsInQuery } from './method-overrides.js'
import { coversPath, matchPath, overlapsPath, parsePathPattern } from './path-pattern.js'
import { QueryNames } from './query-names.js'
import type { RequestPath } from './request-path.js'
import type { RuleKind } from './rule-kind.js'

export interface HttpMatch {
  /** Upper case; null for any method except TRACE. */
  readonly methods: readonly string[] | null
  readonly path: PathPattern
  /** A query parameter that the request must have; null if it may have any or none. */
  readonly parameter: string | null
}

/** One reading of an HTTP request. */
export interface HttpSubject {
  readonly method: string
  /** Canonical; null for one that may be any. */
  readonly path: string | null
  /** What deny rules are compared with. */
  readonly loose: LoosePath
  readonly parameters: QueryNames
}

export type HttpRule = Rule<'http', HttpMatch>

/** `GET,HEAD /rest/**`, `* /**` or `PUT /**?acl`: methods, a path pattern, and perhaps the name of a query parameter. */
export const http: RuleKind<HttpMatch, HttpSubject> = {
  name: 'http',
  keyword: null,
  parse(text) {
    const parts = text.trim().split(/\s+/)
    const [methodText = '', pathText = ''] = parts
    if (parts.length !== 2 || !/^(\*|[A-Za-z,*-]+)$/.test(methodText)) {
      return {
        problem: `Invalid rule \`${text}\`: expected methods, a space and a path`,
        fix: 'Write `GET,HEAD /path/**`, or `"* /path/**"` for any method',
      }
    }
    const methods = methodText === '*' ? null : parseMethods(methodText.split(','))
    if (methods !== null && isDiagnostic(methods)) return methods
    const [pattern = '', parameter = null] = pathText.split('?', 2)
    const path = parsePathPattern(pattern)
    if (isDiagnostic(path)) return path
    if (pathText !== (parameter === null ? pattern : `${pattern}?${parameter}`) || parameter === '')
      return parameterError(text)
    return parameter === null || /^[\w.~-]+$/.test(parameter)
      ? { methods, path, parameter }
      : parameterError(text)
  },
  matches: ({ methods, path, parameter }, subject) =>
    matchMethod(methods, subject.method) &&
    (subject.path === null ? isEveryPath(path) : matchPath(path, subject.path)) &&
    (parameter === null || subject.parameters.has(parameter)),
  namesReading: ({ path }) => path.text.includes('%2F'),
  matchesLoosely: ({ methods, path, parameter }, subject) =>
    deniesMethod(methods, subject.method) &&
    (subject.path === null || matchLoosely(path.loose, subject.loose)) &&
    (parameter === null || subject.parameters.hasLoosely(parameter)),
  covers(earlier, later) {
    const over = [...earlier.entries()].filter(
      ([, { path, parameter }]) =>
        coversPath(path, later.path) && (parameter === null || parameter === later.parameter),
    )
    const any = over.find(([, { methods }]) => methods === null)
    if (any !== undefined) return [any[0]]
    if (later.methods === null) return null
    // Method by method, so that `GET /**` and `POST /**` together cover `GET,POST /x`.
    const found = later.methods.map(
      (method) => over.find(([, { methods }]) => methods?.includes(method))?.[0],
    )
    return found.every((index) => index !== undefined) ? [...new Set(found)] : null
  },
  overlaps: (a, b) => overlapsMethods(a.methods, b.methods) && overlapsPath(a.path, b.path),
  below: ({ methods, path, parameter }, basePath) => ({ methods, path: joinPath(basePath, path), parameter }),
  explain({ methods, path, parameter }) {
    const where = isEveryPath(path) ? 'any path' : describePath(path)
    const how = parameter === null ? '' : `, with the query parameter \`${parameter}\``
    return `use ${methods === null ? 'any method' : methods.join(', ')} on ${where}${how}`
  },
}

export function isHttpRule(rule: Rule): rule is HttpRule {
  return rule.kind === http.name
}

function parameterError(text: string): Diagnostic {
  return {
    problem: `Invalid query in rule \`${text}\`: expected the name of one parameter`,
    fix: 'Write `?name` behind the path, without a value, such as `PUT /**?acl`',
  }
}

/** Methods that one request may name, its own included. A client needs two; each is checked like a request of its own. */
export const MAX_METHODS = 8

/**
 * Everything that a server may take a request for: the request itself first, then the same with every method that it names
 * beside its own. Each item has all readings of its path. Null if it names too many methods.
 *
 * @param overrides methods that headers name
 */
export function httpAlternatives(
  method: string,
  { query, readings, isEncodedTwice, loose }: RequestPath,
  overrides: readonly string[],
): readonly (readonly HttpSubject[])[] | null {
  const named = [...overrides, ...methodsInQuery(query)]
  const methods = named.length === 0 ? [method] : [...new Set([method, ...named])]
  if (methods.length > MAX_METHODS) return null
  const parameters = new QueryNames(query)
  const paths = isEncodedTwice ? [...readings, null] : readings
  return methods.map((one) => paths.map((path) => ({ method: one, path, loose, parameters })))
}

/** Checks a list of methods. A method that no parser accepts is a rule that never matches. */
export function parseMethods(methods: readonly string[]): readonly string[] | Diagnostic {
  for (const [index, method] of methods.entries()) {
    if (methods.indexOf(method) !== index) {
      return { problem: `Duplicate method \`${method}\``, fix: 'List each method once' }
    }
    if (!isKnownMethod(method)) return methodError(method)
  }
  return methods
}

/** What the HTTP parser accepts. CONNECT never reaches a rule: it names an authority and no path. */
export function isKnownMethod(method: string): boolean {
  // First, because Node loads its module for HTTP with the first use.
  return COMMON_METHODS.includes(method) || (METHODS.includes(method) && method !== 'CONNECT')
}

const COMMON_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

function methodError(method: string): Diagnostic {
  const problem = `Unknown HTTP method \`${method}\``
  const upper = method.toUpperCase()
  if (upper === 'CONNECT') {
    return { problem, fix: 'Remove it: CONNECT is allowed or denied by host and port' }
  }
  if (isKnownMethod(upper)) return { problem, fix: `Write \`${upper}\`: methods are upper case` }
  const near = nearest(upper, COMMON_METHODS)
  return {
    problem,
    fix: near === null ? 'Write a method such as `GET`, or `*` for any' : `Write \`${near}\``,
  }
}

/** TRACE sends a request's headers back, the credential among them (RFC 9110 section 9.3.8): only a rule that names it. */
function matchMethod(methods: readonly string[] | null, method: string): boolean {
  return methods === null ? method !== 'TRACE' : methods.includes(method)
}

/** A handler of GET also runs for HEAD, and a deny rule for any method means TRACE too. */
function deniesMethod(methods: readonly string[] | null, method: string): boolean {
  return methods === null || methods.includes(method === 'HEAD' && !methods.includes('HEAD') ? 'GET' : method)
}

function overlapsMethods(a: readonly string[] | null, b: readonly string[] | null): boolean {
  return a === null || b === null || a.some((one) => b.includes(one))
}

function joinPath(basePath: string, path: PathPattern): PathPattern {
  const joined = basePath === '' ? path : parsePathPattern(`${basePath}${path.text}`)
  if (isDiagnostic(joined)) throw new Error('a checked base path and a checked pattern make a pattern')
  return joined
}

function isEveryPath({ segments, recursive }: PathPattern): boolean {
  return segments.length === 0 && recursive
}

function describePath({ text, recursive }: PathPattern): string {
  return recursive ? `${text.slice(0, -3)} and everything below it` : text
}
