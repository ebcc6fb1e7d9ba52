import type { Json } from './strict-json.js'

/** The value of an argument as far as the request says it. Enums are their names, and null is what is left out, too. */
export type GraphqlValue = Json | readonly GraphqlValue[] | ReadonlyMap<string, GraphqlValue> | EitherValue

/** What one server takes for one value and another server for another. */
export class EitherValue {
  readonly values: readonly GraphqlValue[]

  constructor(values: readonly GraphqlValue[]) {
    this.values = values
  }
}

/** Values that one comparison looks at. An argument with more of them agrees with no allow rule, and with every deny rule. */
const MAX_VALUES = 1_000

/**
 * The scalars at a path in a value, as text; null where there is none. A list stands for each of its items, since a server takes a
 * single value for a list of one.
 *
 * @returns null for too many
 */
export function scalarsAt(
  root: GraphqlValue | undefined,
  path: readonly string[],
): readonly (string | null)[] | null {
  const scalars: (string | null)[] = []
  const open: (readonly [value: GraphqlValue | undefined, depth: number])[] = [[root, 0]]
  for (let looked = 0; ; looked += 1) {
    const next = open.pop()
    if (next === undefined) return scalars
    if (looked > MAX_VALUES) return null
    const [value, depth] = next
    const several = value instanceof EitherValue ? value.values : Array.isArray(value) ? value : null
    if (several !== null) {
      if (several.length > MAX_VALUES) return null
      for (const one of several as readonly GraphqlValue[]) open.push([one, depth])
      if (several.length === 0) scalars.push(null)
      continue
    }
    const key = path[depth]
    if (key !== undefined) open.push([memberOf(value, key), depth + 1])
    else scalars.push(textOf(value))
  }
}

function memberOf(value: GraphqlValue | undefined, key: string): GraphqlValue | undefined {
  if (value instanceof Map) return (value as ReadonlyMap<string, GraphqlValue>).get(key)
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
  return (value as Readonly<Record<string, Json>>)[key]
}

function textOf(value: GraphqlValue | undefined): string | null {
  if (typeof value === 'string') return value
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : null
}
