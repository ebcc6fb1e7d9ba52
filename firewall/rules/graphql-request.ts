import type { GraphqlField } from './graphql.js'
import { newGraphqlBudget, readOperation, type GraphqlBudget } from './graphql-document.js'
import { tooComplex, unreadable, type GraphqlProblem } from './graphql-problem.js'
import { isUnclear, parseStrictJson, type Json } from './strict-json.js'

/** A request to an endpoint of GraphQL, with all of its body. */
export interface GraphqlRequest {
  readonly method: string
  /** With its `?`, or empty; as sent. */
  readonly query: string
  /** Headers as they came. */
  readonly contentType: string | readonly string[] | undefined
  readonly contentEncoding: string | readonly string[] | undefined
  readonly body: Uint8Array
}

/** SHA-256 in lower-case hexadecimal digits, which the engine does not compute itself. */
export type Sha256 = (text: string) => string

/** Bytes of a body. It is read whole before a rule is asked. */
export const MAX_GRAPHQL_BYTES = 1_048_576
/** Operations of a batch. */
const MAX_BATCH = 32

/** What servers know at the top of a request; everything else there is refused, since one of them may know it, too. */
const MEMBERS: readonly string[] = ['query', 'operationName', 'variables', 'extensions']
/** Where clients put the id of a persisted document: GraphQL over HTTP, Relay, Facebook, urql and others. */
const DOCUMENT_IDS: readonly string[] = ['documentId', 'id', 'doc_id', 'queryId', 'hash']

/**
 * All root fields that a server may run for this request, in their order (GraphQL over HTTP; October 2021). What servers could
 * read in another way is refused: see docs/policy.md. Takes time linear in the request. Never throws.
 */
export function readGraphqlRequest(
  request: GraphqlRequest,
  sha256: Sha256,
): readonly GraphqlField[] | GraphqlProblem {
  const parameters = readParameters(request.query)
  if (!(parameters instanceof Map)) return parameters
  const budget = newGraphqlBudget()
  if (request.method === 'GET') {
    if (request.body.length > 0) return unreadable('a GET with a body')
    const read = parameterMembers(parameters)
    return 'members' in read ? readMembers(read.members, budget, sha256) : read
  }
  if (request.method !== 'POST') return unreadable('GraphQL is sent by GET or POST')
  const [stray] = parameters.keys()
  if (stray !== undefined) return unreadable(`\`${stray}\` is in the URL of a POST`)
  const text = bodyText(request)
  if (typeof text !== 'string') return text
  if (mediaType(request) === 'application/graphql') return readMembers({ query: text }, budget, sha256)
  const parsed = parseStrictJson(text)
  if ('problem' in parsed) return unreadable(parsed.problem)
  return Array.isArray(parsed.value)
    ? readBatch(parsed.value as readonly Json[], budget, sha256)
    : readOne(parsed.value, budget, sha256)
}

function readBatch(
  batch: readonly Json[],
  budget: GraphqlBudget,
  sha256: Sha256,
): readonly GraphqlField[] | GraphqlProblem {
  if (batch.length === 0) return unreadable('an empty batch')
  if (batch.length > MAX_BATCH) return tooComplex(`more than ${String(MAX_BATCH)} operations in a batch`)
  const fields: GraphqlField[] = []
  for (const one of batch) {
    const found = readOne(one, budget, sha256)
    if ('reason' in found) return found
    fields.push(...found)
  }
  return fields
}

function readOne(
  value: Json,
  budget: GraphqlBudget,
  sha256: Sha256,
): readonly GraphqlField[] | GraphqlProblem {
  if (!isMapping(value)) return unreadable('the body is not an object of JSON')
  return readMembers(value, budget, sha256)
}

/** One operation, whatever form it came in. */
function readMembers(
  members: Readonly<Record<string, Json>>,
  budget: GraphqlBudget,
  sha256: Sha256,
): readonly GraphqlField[] | GraphqlProblem {
  const ids = DOCUMENT_IDS.filter((name) => Object.hasOwn(members, name))
  const other = Object.keys(members).find((name) => !MEMBERS.includes(name) && !ids.includes(name))
  if (other !== undefined) return unreadable('the request has a member that not every server knows')
  const { query = null, operationName = null, variables = null, extensions = null } = members
  const isForm =
    (query === null || typeof query === 'string') &&
    (operationName === null || typeof operationName === 'string') &&
    (variables === null || isMapping(variables)) &&
    (extensions === null || isMapping(extensions))
  if (!isForm) return unreadable('a member of the request has the wrong type')
  const persisted = persistedId(
    ids.map((name) => members[name] ?? null),
    extensions,
  )
  if (persisted !== null && typeof persisted !== 'string') return persisted
  if (query === null) {
    if (persisted === null) return unreadable('the request has no document')
    return [{ type: 'persisted', field: persisted, arguments: new Map(), nested: new Set() }]
  }
  // Threat: a server that knows the hash runs what it stored, and does not look at what the rules have seen.
  if (persisted !== null && (ids.length > 0 || persisted.toLowerCase() !== sha256(query)))
    return unreadable('a document, and the id of another one')
  return readOperation({ document: query, operationName, variables: variables ?? {} }, budget)
}

/** The id of a persisted document; null where none is named. */
function persistedId(
  ids: readonly Json[],
  extensions: Readonly<Record<string, Json>> | null,
): string | null | GraphqlProblem {
  const known = extensions?.['persistedQuery']
  const unknown = Object.keys(extensions ?? {}).find(
    (name) => name !== 'persistedQuery' && /persist|hash|query|doc|operation/i.test(name),
  )
  if (unknown !== undefined) return unreadable('an extension that may name a persisted document')
  const found = [...ids]
  if (known !== undefined && known !== null) {
    const hash = isMapping(known) ? known['sha256Hash'] : null
    const others = isMapping(known)
      ? Object.keys(known).filter((key) => !/^(version|sha256Hash)$/.test(key))
      : []
    if (typeof hash !== 'string' || others.length > 0)
      return unreadable('an unknown form of a persisted query')
    found.push(hash)
  }
  if (found.length === 0) return null
  const [id] = found
  if (found.length > 1 || typeof id !== 'string' || isUnclear(id))
    return unreadable('the id of a persisted document cannot be read')
  return id
}

function bodyText(request: GraphqlRequest): string | GraphqlProblem {
  if (request.body.length > MAX_GRAPHQL_BYTES)
    return tooComplex(`more than ${String(MAX_GRAPHQL_BYTES)} bytes`)
  if (request.contentEncoding !== undefined && !/^\s*identity\s*$/i.test(String(request.contentEncoding)))
    return unreadable('a compressed body')
  if (mediaType(request) === null)
    return unreadable('the content type is neither `application/json` nor `application/graphql`, in UTF-8')
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(request.body)
  } catch {
    return unreadable('the body is not UTF-8')
  }
}

/** Null for every type that some server reads in another way, or does not read. */
function mediaType({ contentType }: GraphqlRequest): 'application/json' | 'application/graphql' | null {
  if (typeof contentType !== 'string') return null
  const match = /^\s*application\/(json|graphql)\s*(?:;\s*charset\s*=\s*(?:utf-?8|"utf-?8")\s*)?;?\s*$/i.exec(
    contentType,
  )
  if (match === null) return null
  return match[1]?.toLowerCase() === 'json' ? 'application/json' : 'application/graphql'
}

/** Every name that could mean something to GraphQL, folded: servers in PHP, Go and others are lenient with them. */
const FOLDED: ReadonlySet<string> = new Set(
  [...MEMBERS, ...DOCUMENT_IDS, 'operations', 'map', 'batch'].map((name) => fold(name)),
)

function fold(name: string): string {
  return name
    .replace(/[\0[].*$/s, '')
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '')
}

/** The parameters that mean something to GraphQL, decoded. Others may be there: clients write the operation's name for logs. */
function readParameters(query: string): Map<string, string> | GraphqlProblem {
  const found = new Map<string, string>()
  if (query.includes(';')) return unreadable('a `;` in the URL, which some servers take for `&`')
  for (const pair of query.slice(1).split('&')) {
    const at = pair.indexOf('=')
    const name = decode(at < 0 ? pair : pair.slice(0, at))
    const value = decode(at < 0 ? '' : pair.slice(at + 1))
    if (name === null || value === null) return unreadable('a parameter with a broken escape')
    if (!FOLDED.has(fold(name))) continue
    if (![...MEMBERS, ...DOCUMENT_IDS].includes(name))
      return unreadable('a parameter that some servers take for another one')
    if (found.has(name)) return unreadable(`two parameters \`${name}\``)
    found.set(name, value)
  }
  return found
}

function decode(text: string): string | null {
  if (/%(?![0-9A-F]{2})/i.test(text)) return null
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return null
  }
}

function parameterMembers(
  parameters: ReadonlyMap<string, string>,
): { readonly members: Readonly<Record<string, Json>> } | GraphqlProblem {
  const members: Record<string, Json> = {}
  for (const [name, text] of parameters) {
    if (name !== 'variables' && name !== 'extensions') members[name] = text
    else {
      const parsed = parseStrictJson(text)
      if ('problem' in parsed) return unreadable(`\`${name}\`: ${parsed.problem}`)
      members[name] = parsed.value
    }
  }
  return { members }
}

function isMapping(value: Json | undefined): value is Readonly<Record<string, Json>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
