import type { ArgumentNode, OperationDefinitionNode, ValueNode } from 'graphql/language/ast.js'
import { Kind } from 'graphql/language/kinds.js'
import { EitherValue, type GraphqlValue } from './graphql-value.js'
import type { Json } from './strict-json.js'

/** What an operation may refer to as `$name`. */
export interface Variables {
  /** As the request has them. */
  readonly given: Readonly<Record<string, Json>>
  /** Where the request has none. */
  readonly defaults: ReadonlyMap<string, GraphqlValue>
}

/** The default values of an operation's variables; null if there is one twice. */
export function readDefaults(operation: OperationDefinitionNode): ReadonlyMap<string, GraphqlValue> | null {
  const names = new Set<string>()
  const defaults = new Map<string, GraphqlValue>()
  for (const { variable, defaultValue } of operation.variableDefinitions ?? []) {
    const name = variable.name.value
    if (names.has(name)) return null
    names.add(name)
    if (defaultValue === undefined) continue
    const value = readValue(defaultValue, { given: {}, defaults: new Map() })
    if (value === undefined) return null
    defaults.set(name, value)
  }
  return defaults
}

/** The arguments of a field by name; null if one, or a key of one, is there twice. */
export function readArguments(
  nodes: readonly ArgumentNode[],
  variables: Variables,
): ReadonlyMap<string, GraphqlValue> | null {
  const values = new Map<string, GraphqlValue>()
  for (const { name, value: node } of nodes) {
    const value = readValue(node, variables)
    if (value === undefined || values.has(name.value)) return null
    values.set(name.value, value)
  }
  return values
}

/** Calls itself for each bracket of a document, which are bounded. Undefined for an object with a key twice. */
function readValue(node: ValueNode, variables: Variables): GraphqlValue | undefined {
  switch (node.kind) {
    case Kind.VARIABLE:
      return variableValue(node.name.value, variables)
    case Kind.NULL:
      return null
    case Kind.LIST: {
      const items = node.values.map((one) => readValue(one, variables))
      return items.every((one) => one !== undefined) ? items : undefined
    }
    case Kind.OBJECT: {
      const members = new Map<string, GraphqlValue>()
      for (const { name, value: inner } of node.fields) {
        const value = readValue(inner, variables)
        if (value === undefined || members.has(name.value)) return undefined
        members.set(name.value, value)
      }
      return members
    }
    default:
      return node.value
  }
}

/** GraphQL October 2021 section 6.4.1. Of a null that is given and a default, servers take the one or the other. */
function variableValue(name: string, { given, defaults }: Variables): GraphqlValue {
  const standard = defaults.get(name) ?? null
  if (!Object.hasOwn(given, name)) return standard
  const value = given[name] ?? null
  return value === null && standard !== null ? new EitherValue([null, standard]) : value
}
