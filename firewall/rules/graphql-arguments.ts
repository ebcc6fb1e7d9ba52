import type { Diagnostic } from '../contracts/diagnostic.js'
import { scalarsAt, type GraphqlValue } from './graphql-value.js'

/** What an argument of a root field, or a part of it, must be: `input.repositoryId=R_*`. */
export interface ArgumentMatch {
  /** The argument, then keys in its value. */
  readonly path: readonly string[]
  /** The text before, between and after the stars. */
  readonly parts: readonly string[]
  /** As in the rule, without spaces and quotes that mean nothing. */
  readonly text: string
}

const ARGUMENT = /\s*([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\s*[=:]\s*(?:"([^"\\]*)"|([\w.*/:@+-]+))\s*(,|$)/y

/** @param text `(name=value, …)`, or empty */
export function parseArguments(text: string, rule: string): readonly ArgumentMatch[] | Diagnostic {
  const list = text.slice(1, -1)
  const found: ArgumentMatch[] = []
  const pattern = new RegExp(ARGUMENT)
  while (pattern.lastIndex < list.length) {
    const match = pattern.exec(list)
    const [, name = '', quoted, plain = '', comma] = match ?? []
    const value = quoted ?? plain
    if (match === null || (comma === ',' && pattern.lastIndex === list.length)) return argumentError(rule)
    if (found.some(({ path }) => path.join('.') === name)) return argumentError(rule)
    found.push({ path: name.split('.'), parts: value.split('*'), text: `${name}=${value}` })
  }
  return text !== '' && found.length === 0 ? argumentError(rule) : found
}

/** For allow rules: every argument is there, and is what the rule says in every reading. */
export function argumentsAgree(
  wanted: readonly ArgumentMatch[],
  given: ReadonlyMap<string, GraphqlValue>,
): boolean {
  return wanted.every(({ path, parts }) => {
    const [name = '', ...inner] = path
    const scalars = scalarsAt(given.get(name), inner)
    return scalars?.every((text) => text !== null && fits(parts, text)) === true
  })
}

/** For deny rules: every argument could be what the rule says, in any letter case. */
export function argumentsMayAgree(
  wanted: readonly ArgumentMatch[],
  given: ReadonlyMap<string, GraphqlValue>,
): boolean {
  return wanted.every(({ path, parts }) => {
    const [name = '', ...inner] = path
    const scalars = scalarsAt(given.get(name), inner)
    const folded = parts.map((part) => part.toLowerCase())
    return scalars?.some((text) => text !== null && fits(folded, text.trim().toLowerCase())) !== false
  })
}

/** Linear but for the stars: `indexOf` is asked once for each. */
function fits(parts: readonly string[], text: string): boolean {
  const [first = '', ...others] = parts
  const last = others.pop()
  if (last === undefined) return text === first
  if (!text.startsWith(first)) return false
  let at = first.length
  for (const part of others) {
    const found = text.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return text.length - last.length >= at && text.endsWith(last)
}

function argumentError(rule: string): Diagnostic {
  return {
    problem: `Invalid arguments in GraphQL rule \`${rule}\``,
    fix: 'Write `(name=value)`, such as `query repository(owner=acme, name="app-*")`; `*` in a value matches any text',
  }
}
