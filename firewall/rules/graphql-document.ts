import type {
  DocumentNode,
  FragmentDefinitionNode,
  OperationDefinitionNode,
  SelectionSetNode,
} from 'graphql/language/ast.js'
import { Kind } from 'graphql/language/kinds.js'
import { Lexer } from 'graphql/language/lexer.js'
import { parse } from 'graphql/language/parser.js'
import { Source } from 'graphql/language/source.js'
import { TokenKind } from 'graphql/language/tokenKind.js'
import type { GraphqlField } from './graphql.js'
import { tooComplex, unreadable, type GraphqlProblem } from './graphql-problem.js'
import { readArguments, readDefaults, type Variables } from './graphql-variables.js'
import type { Json } from './strict-json.js'

/** What may still be spent on one request, whatever the number of its operations. */
export interface GraphqlBudget {
  characters: number
  tokens: number
  fields: number
}

/** Tokens of all documents: forty times those of the query by which tools read a schema. */
const MAX_TOKENS = 10_000
/** Characters of all documents. Comments are no tokens, and take their time; what is long is in variables. */
const MAX_CHARACTERS = 131_072
/** Root fields of all operations, each of which is compared with the rules. */
const MAX_FIELDS = 100
/** Brackets in each other. The parser has a stack, and people write ten. */
const MAX_NESTING = 64

export function newGraphqlBudget(): GraphqlBudget {
  return { characters: MAX_CHARACTERS, tokens: MAX_TOKENS, fields: MAX_FIELDS }
}

/** One operation as a request names it. */
export interface OperationInput {
  readonly document: string
  /** Null where the request names none. */
  readonly operationName: string | null
  readonly variables: { readonly [name: string]: Json }
}

/**
 * The root fields of the operation that a server runs: the one that is named, else the only one (GraphQL October 2021 section
 * 6.1). Fragments are followed, aliases are not looked at, and a field with `@skip` counts as one without.
 */
export function readOperation(
  { document: text, operationName, variables }: OperationInput,
  budget: GraphqlBudget,
): readonly GraphqlField[] | GraphqlProblem {
  const document = parseDocument(text, budget)
  if ('reason' in document) return document
  const operations: OperationDefinitionNode[] = []
  const fragments = new Map<string, FragmentDefinitionNode>()
  const names = new Set<string>()
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) {
      if (fragments.has(definition.name.value)) return unreadable('two fragments have one name')
      fragments.set(definition.name.value, definition)
    } else if (definition.kind === Kind.OPERATION_DEFINITION) {
      const name = definition.name?.value ?? ''
      if (names.has(name)) return unreadable('two operations have one name')
      names.add(name)
      operations.push(definition)
    } else return unreadable('the document defines a schema')
  }
  const operation = chosen(operations, operationName)
  return 'reason' in operation ? operation : fieldsOf(operation, fragments, variables, budget)
}

/** Text that lexers of different ages, and in different languages, take for the same. */
function parseDocument(text: string, budget: GraphqlBudget): DocumentNode | GraphqlProblem {
  budget.characters -= text.length
  if (budget.characters < 0) return tooComplex(`documents of more than ${String(MAX_CHARACTERS)} characters`)
  // Threat: where one lexer sees the end of a comment, another goes on.
  if (/\r(?!\n)|[\u0085\u2028\u2029\ufeff]|\p{Surrogate}/u.test(text))
    return unreadable('the document has a character that parsers read differently')
  try {
    const problem = measure(text, budget)
    if (problem !== null) return problem
    return parse(text, { noLocation: true })
  } catch {
    return unreadable('the document is not GraphQL')
  }
}

const OPENING: ReadonlySet<string> = new Set([TokenKind.BRACE_L, TokenKind.PAREN_L, TokenKind.BRACKET_L])
const CLOSING: ReadonlySet<string> = new Set([TokenKind.BRACE_R, TokenKind.PAREN_R, TokenKind.BRACKET_R])

/** Before the parser, which calls itself for each bracket. @throws what the lexer throws */
function measure(text: string, budget: GraphqlBudget): GraphqlProblem | null {
  const lexer = new Lexer(new Source(text))
  let nesting = 0
  for (let token = lexer.advance(); token.kind !== TokenKind.EOF; token = lexer.advance()) {
    budget.tokens -= 1
    if (budget.tokens < 0) return tooComplex(`more than ${String(MAX_TOKENS)} tokens`)
    if (OPENING.has(token.kind)) nesting += 1
    else if (CLOSING.has(token.kind)) nesting -= 1
    if (nesting > MAX_NESTING) return tooComplex(`nested deeper than ${String(MAX_NESTING)} levels`)
  }
  return null
}

function chosen(
  operations: readonly OperationDefinitionNode[],
  name: string | null,
): OperationDefinitionNode | GraphqlProblem {
  const [first, second] = operations
  if (first === undefined) return unreadable('the document has no operation')
  // An empty name is none to some servers, and the name of nothing to others: with one operation both run that or nothing.
  if (name === null || name === '')
    return second === undefined ? first : unreadable('several operations, and none of them is named')
  return operations.find((one) => one.name?.value === name) ?? unreadable('no operation has this name')
}

function fieldsOf(
  operation: OperationDefinitionNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
  given: Readonly<Record<string, Json>>,
  budget: GraphqlBudget,
): readonly GraphqlField[] | GraphqlProblem {
  const defaults = readDefaults(operation)
  if (defaults === null) return unreadable('a variable or a key of its default value is there twice')
  const variables: Variables = { given, defaults }
  const nested = new Set<string>()
  const roots: GraphqlField[] = []
  const visited = new Set<string>()
  const open: { readonly set: SelectionSetNode; readonly isRoot: boolean }[] = [
    { set: operation.selectionSet, isRoot: true },
  ]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { set, isRoot } = next
    for (const selection of set.selections) {
      if (selection.kind === Kind.INLINE_FRAGMENT) open.push({ set: selection.selectionSet, isRoot })
      else if (selection.kind === Kind.FRAGMENT_SPREAD) {
        const name = selection.name.value
        const fragment = fragments.get(name)
        if (fragment === undefined) return unreadable('a fragment is not in the document')
        const key = isRoot ? `root ${name}` : name
        // Once is enough, and a fragment within itself has no end.
        if (!visited.has(key)) open.push({ set: fragment.selectionSet, isRoot })
        visited.add(key)
      } else {
        const field = selection.name.value
        nested.add(field)
        if (selection.selectionSet !== undefined) open.push({ set: selection.selectionSet, isRoot: false })
        if (!isRoot) continue
        budget.fields -= 1
        if (budget.fields < 0) return tooComplex(`more than ${String(MAX_FIELDS)} root fields`)
        const values = readArguments(selection.arguments ?? [], variables)
        if (values === null) return unreadable('an argument or a key of one is there twice')
        roots.push({ type: operation.operation, field, arguments: values, nested })
      }
    }
  }
  // Tells the name of a type, and is a part of what clients add everywhere.
  const others = roots.filter(({ field }) => field !== '__typename')
  return others.length === 0 ? roots : others
}
