import { METHODS } from 'node:http'
import { isDiagnostic, type Diagnostic } from '#firewall/names/host-pattern.js'
import { coversPath, parsePathPattern, type PathPattern } from '#firewall/rules/path-pattern.js'
import type { Rule } from '#firewall/contracts/policy.js'
import { nearest } from './nearest.js'
import { quote } from './redact-message.js'

/** What the HTTP parser lets through; CONNECT never reaches a rule, for it names an authority and no path. */
const KNOWN_METHODS = METHODS.filter((method) => method !== 'CONNECT')

/** Reads `GET,HEAD /rest/**` or `* /**`: methods and a path pattern. */
export function parseRuleText(text: string): Pick<Rule, 'methods' | 'path'> | Diagnostic {
  const parts = text.trim().split(/\s+/)
  const [methodText = '', pathText = ''] = parts
  if (parts.length !== 2 || !/^(\*|[A-Za-z,*-]+)$/.test(methodText)) {
    return {
      problem: `${quote(text)} is not methods, a space and a path`,
      fix: 'write `GET,HEAD /path/**`, or `"* /path/**"` for any method',
    }
  }
  const methods = methodText === '*' ? null : parseMethods(methodText.split(','))
  if (methods !== null && isDiagnostic(methods)) return methods
  const path = parsePathPattern(pathText)
  return isDiagnostic(path) ? path : { methods, path }
}

/** Checks a list of methods. A method that no parser accepts is a rule that never matches. */
export function parseMethods(methods: readonly string[]): readonly string[] | Diagnostic {
  for (const [index, method] of methods.entries()) {
    if (methods.indexOf(method) !== index) {
      return { problem: `the method ${quote(method)} is named twice`, fix: 'name every method once' }
    }
    if (!KNOWN_METHODS.includes(method)) return methodError(method)
  }
  return methods
}

function methodError(method: string): Diagnostic {
  const problem = `${quote(method)} is not a method that a request can have`
  const upper = method.toUpperCase()
  if (upper === 'CONNECT') {
    return { problem, fix: 'remove it: whether a CONNECT may pass is decided by its host and port' }
  }
  if (KNOWN_METHODS.includes(upper)) return { problem, fix: `write ${quote(upper)}: methods are upper case` }
  const near = KNOWN_METHODS.find(
    (known) => known === nearest(upper, ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']),
  )
  return {
    problem,
    fix: near === undefined ? 'write a method such as `GET`, or `*` for any' : `write ${quote(near)}`,
  }
}

/** The pattern below a base path. */
export function joinPath(basePath: string, path: PathPattern): PathPattern {
  const joined = basePath === '' ? path : parsePathPattern(`${basePath}${path.text}`)
  if (isDiagnostic(joined)) throw new Error('a checked base path and a checked pattern make a pattern')
  return joined
}

/**
 * The earlier rules that leave nothing to a later one; null when it can match. Methods are covered one by one, so that
 * `GET /**` and `POST /**` together shadow `GET,POST /x`.
 */
export function shadowedBy<R extends Pick<Rule, 'methods' | 'path'>>(
  rule: R,
  earlier: readonly R[],
): readonly R[] | null {
  const over = earlier.filter((other) => coversPath(other.path, rule.path))
  const any = over.find((other) => other.methods === null)
  if (any !== undefined) return [any]
  if (rule.methods === null) return null
  const found = rule.methods.map((method) => over.find((other) => other.methods?.includes(method)))
  return found.every((other) => other !== undefined) ? [...new Set(found)] : null
}
