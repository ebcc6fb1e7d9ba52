import * as z from 'zod'
import type { Diagnostic } from '#firewall/contracts/diagnostic.js'
import type { IssueList, Path } from '../issues/issue.js'
import { nearest } from '#firewall/rules/nearest.js'
import { quote } from '../issues/quote.js'
import { retiredKey } from './retired-keys.js'

type Issue = z.core.$ZodIssue
type Json = Record<string, unknown>

export interface Validated<T> {
  /** The file without the parts that do not fit the schema. */
  readonly value: T
  /** Original index of every entry of `allow`. */
  readonly allowIndexes: readonly number[]
  /** Names such as `services.jira` and `dns`, of the parts left out. */
  readonly broken: ReadonlySet<string>
}

/**
 * Validates the file. A part that does not fit (one service, one `allow` entry, one agent, one section) is reported and left
 * out, so that later checks can report errors in the other parts in the same run.
 */
export function validateSchema<S extends z.ZodType>(
  schema: S,
  file: unknown,
  issues: IssueList,
): Validated<z.infer<S>> | null {
  if (typeof file !== 'object' || file === null || Array.isArray(file)) {
    issues.add([], {
      problem: 'The policy is not a mapping',
      fix: 'Begin it with `services:`, `allow:` or another section',
    })
    return null
  }
  const pruned = structuredClone(file) as Json
  const broken = new Set<string>()
  const brokenAllow = new Set<number>()
  const first = schema.safeParse(file)
  for (const issue of first.error?.issues.flatMap(flatten) ?? []) {
    report(issue, schema, file, issues)
    prune(issue, pruned, broken, brokenAllow)
  }
  const allow: unknown = pruned['allow']
  const allowIndexes = Array.isArray(allow)
    ? [...allow.keys()].filter((index) => !brokenAllow.has(index))
    : []
  if (Array.isArray(allow)) pruned['allow'] = allowIndexes.map((index): unknown => allow[index])
  const second = schema.safeParse(pruned)
  return second.success ? { value: second.data, allowIndexes, broken } : null
}

/** The branch of a union that was probably meant: the one that got furthest into the value. */
function flatten(issue: Issue): Issue[] {
  if (issue.code !== 'invalid_union') return [issue]
  const deep = issue.errors.find((branch) =>
    branch.some(({ path, code }) => path.length > 0 || code === 'unrecognized_keys'),
  )
  return deep === undefined
    ? [issue]
    : deep.flatMap((inner) => flatten({ ...inner, path: [...issue.path, ...inner.path] }))
}

function prune(issue: Issue, file: Json, broken: Set<string>, brokenAllow: Set<number>): void {
  const path =
    issue.code === 'unrecognized_keys' && issue.path.length === 0 ? issue.keys.slice(0, 1) : issue.path
  const [section, name] = path
  if (typeof section !== 'string') return
  if (section === 'allow' && typeof name === 'number') {
    brokenAllow.add(name)
    broken.add('allow')
  } else if (['services', 'agents', 'secrets'].includes(section) && typeof name === 'string') {
    const parts = file[section] as Json
    const part = parts[name]
    const key = path[2]
    // No other check depends on these keys, so the rest of the service can still be checked.
    const alone = key === 'rate' || key === 'env' || key === 'ca'
    if (alone && typeof part === 'object' && part !== null) Reflect.deleteProperty(part, key)
    else Reflect.deleteProperty(parts, name)
    broken.add(`${section}.${name}`)
  } else {
    const keys = issue.code === 'unrecognized_keys' && issue.path.length === 0 ? issue.keys : [section]
    for (const key of keys) {
      Reflect.deleteProperty(file, key)
      broken.add(key)
    }
  }
}

function report(issue: Issue, schema: z.ZodType, file: unknown, issues: IssueList): void {
  const path = issue.path.filter((step) => typeof step !== 'symbol')
  if (issue.code === 'unrecognized_keys') {
    for (const key of issue.keys) {
      const retired = retiredKey(key, valueAt(file, [...path, key]))
      issues.add([...path, key], retired ?? unknownKey(key, path, schema), 'key')
    }
    return
  }
  const value = valueAt(file, path)
  const missing = value === undefined && ['invalid_type', 'invalid_value'].includes(issue.code)
  const key = quote(path.findLast((step) => typeof step === 'string') ?? 'the file')
  const problem = missing ? `Missing key ${key}` : describeMismatch(issue, key, value)
  const fix = describeField(schema, path)
  if (missing) issues.add(path.slice(0, -1), { problem, fix }, 'key')
  else issues.add(path, { problem, fix })
}

/** Names the type of the value, never the value itself. */
function describeMismatch(issue: Issue, key: string, value: unknown): string {
  switch (issue.code) {
    case 'too_small':
      return typeof value === 'number'
        ? `${key} must be at least ${String(issue.minimum)}`
        : `${key} is empty`
    case 'too_big':
      return `${key} must be at most ${String(issue.maximum)}`
    case 'invalid_value':
      return `${key} must be one of ${issue.values.map(String).join(', ')}`
    default:
      return `Wrong type for ${key}: got ${kindOf(value)}`
  }
}

function kindOf(value: unknown): string {
  if (value === null) return 'an empty value'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a mapping'
  return (
    { string: 'text', number: 'a number', boolean: 'true or false' }[typeof value as string] ?? 'another type'
  )
}

function unknownKey(key: string, path: Path, schema: z.ZodType): Diagnostic {
  const known = keysOf(unwrap(schemaAt(schema, path)))
  const near = nearest(key, known)
  // Threat: a mistyped key here may be the secret itself.
  const secret = path.includes('credential') || path[0] === 'secrets'
  const shown = secret && near === null ? 'Unknown key' : `Unknown key ${quote(key)}`
  const fix = near === null ? `Use one of: ${known.join(', ')}` : `Write ${quote(near)}`
  return { problem: path.length === 0 ? `${shown} at the top level` : shown, fix }
}

function describeField(schema: z.ZodType, path: Path): string {
  for (let end = path.length; end > 0; end -= 1) {
    const meta = schemaAt(schema, path.slice(0, end))?.meta()
    const example: unknown = Array.isArray(meta?.['examples']) ? meta['examples'][0] : undefined
    if (meta?.description !== undefined && typeof example === 'string') {
      return `Expected: ${meta.description}. Example: ${quote(example)}`
    }
  }
  return 'See docs/policy.md for this key'
}

/** The schema of the value at a path, with its description. */
function schemaAt(schema: z.ZodType, path: Path): z.ZodType | undefined {
  let current: z.ZodType | undefined = schema
  for (const step of path) {
    const inner: z.ZodType | undefined = current === undefined ? undefined : unwrap(current)
    if (inner instanceof z.ZodObject) current = (inner.shape as Record<string, z.ZodType>)[String(step)]
    else if (inner instanceof z.ZodRecord) current = inner.valueType as z.ZodType
    else if (inner instanceof z.ZodArray) current = inner.element as z.ZodType
    else return undefined
    if (current instanceof z.ZodOptional) current = current.unwrap() as z.ZodType
  }
  return current
}

/** Unions in this schema are a short form and a full form; only the full form has keys. */
function unwrap(schema: z.ZodType | undefined): z.ZodType | undefined {
  if (schema instanceof z.ZodUnion)
    return schema.options.find((o) => o instanceof z.ZodObject || o instanceof z.ZodArray)
  return schema
}

function keysOf(schema: z.ZodType | undefined): readonly string[] {
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : []
}

function valueAt(file: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, step) => (typeof value === 'object' && value !== null ? (value as Json)[step] : undefined),
    file,
  )
}
