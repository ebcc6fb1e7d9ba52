import { parse, type DocumentNode, type SelectionSetNode, type ValueNode } from 'graphql'
import { createServer } from 'node:https'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { forAnyName, listen } from '#test/fixtures/upstream.js'
import type { CertificateAuthority } from '#proxy/tls/certificate-authority.js'

// GitHub as far as `gh` asks for it: GraphQL that is executed against a small tree, and a few paths of REST. Strict: a request
// without the real token is 401, and a field that the tree does not have is an error.

export interface GithubServer {
  readonly port: number
  /** `mutation createIssue {…}` with its input; `POST /repos/…` with its body. */
  readonly writes: string[]
  /** What was asked for that is not there. */
  readonly unknown: string[]
  close(): Promise<void>
}

type Values = Readonly<Record<string, unknown>>
type Resolver = (values: Values) => unknown
type Tree = { readonly [field: string]: unknown }

const LIST = { totalCount: 0, nodes: [], edges: [], pageInfo: { hasNextPage: false, endCursor: '' } }
const OWNER = { __typename: 'User', id: 'U_1', login: 'acme', name: 'Acme' }

const ISSUE = {
  __typename: 'Issue',
  id: 'I_7',
  number: 7,
  title: 'seven',
  state: 'OPEN',
  stateReason: '',
  body: 'body of seven',
  url: 'https://github.com/acme/app/issues/7',
  author: OWNER,
  createdAt: '2026-01-01T00:00:00Z',
  updatedAt: '2026-01-01T00:00:00Z',
  closedAt: null,
  closed: false,
  isPinned: false,
  milestone: null,
  reactionGroups: [],
  comments: LIST,
  labels: LIST,
  assignees: LIST,
  projectCards: LIST,
  projectItems: LIST,
}

const PULL = {
  ...ISSUE,
  __typename: 'PullRequest',
  id: 'PR_8',
  number: 8,
  url: 'https://github.com/acme/app/pull/8',
  baseRefName: 'main',
  headRefName: 'topic',
  isDraft: false,
  isCrossRepository: false,
  mergeable: 'MERGEABLE',
  mergeStateStatus: 'CLEAN',
  reviewDecision: '',
  headRepositoryOwner: OWNER,
  headRepository: { id: 'R_1', name: 'app' },
  maintainerCanModify: false,
  commits: LIST,
  reviews: LIST,
  reviewRequests: LIST,
  additions: 1,
  deletions: 0,
  autoMergeRequest: null,
}

const REPOSITORY = {
  __typename: 'Repository',
  id: 'R_1',
  name: 'app',
  nameWithOwner: 'acme/app',
  owner: OWNER,
  description: '',
  url: 'https://github.com/acme/app',
  hasIssuesEnabled: true,
  hasWikiEnabled: false,
  hasProjectsEnabled: false,
  viewerPermission: 'ADMIN',
  viewerCanAdminister: true,
  viewerDefaultMergeMethod: 'MERGE',
  mergeCommitAllowed: true,
  rebaseMergeAllowed: true,
  squashMergeAllowed: true,
  isPrivate: false,
  isInOrganization: false,
  isArchived: false,
  isFork: false,
  parent: null,
  defaultBranchRef: { name: 'main' },
  issueTemplates: [],
  pullRequestTemplates: [],
  issues: { ...LIST, totalCount: 1, nodes: [ISSUE] },
  pullRequests: LIST,
  issue: ISSUE,
  issueOrPullRequest: ISSUE,
  pullRequest: PULL,
  labels: LIST,
  milestones: LIST,
  assignableUsers: LIST,
  projects: LIST,
  releases: { ...LIST, nodes: [] },
}

/** Every one of them is recorded. */
const MUTATIONS: Tree = {
  createIssue: { issue: ISSUE },
  updateIssue: { issue: ISSUE, __typename: 'X' },
  closeIssue: { issue: ISSUE },
  addComment: { commentEdge: { node: { url: `${ISSUE.url}#1` } } },
  createPullRequest: { pullRequest: PULL },
  deleteRepository: { clientMutationId: null },
  deleteIssue: { clientMutationId: null, repository: REPOSITORY },
}

const QUERIES: Tree = {
  repository: REPOSITORY,
  viewer: { ...OWNER, organizations: LIST },
  search: LIST,
  __type: { name: 'X', fields: [] },
}

export async function startGithub(ca: CertificateAuthority, token: string): Promise<GithubServer> {
  const writes: string[] = []
  const unknown: string[] = []
  const answer = (response: ServerResponse, status: number, body: unknown) => {
    response.writeHead(status, {
      'content-type': 'application/json; charset=utf-8',
      'x-oauth-scopes': 'repo',
    })
    response.end(JSON.stringify(body))
  }
  const run = (body: string): unknown => {
    const { query, variables = {} } = JSON.parse(body) as { query: string; variables?: Values }
    const document = parse(query)
    const [operation] = document.definitions.filter((one) => one.kind === 'OperationDefinition')
    if (operation === undefined) throw new Error('no operation')
    const isMutation = operation.operation === 'mutation'
    const onRoot = (field: string, values: Values) => {
      if (isMutation) writes.push(`mutation ${field} ${JSON.stringify(values)}`)
    }
    return {
      data: resolve(isMutation ? MUTATIONS : QUERIES, operation.selectionSet, {
        document,
        variables,
        unknown,
        onRoot,
      }),
    }
  }
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    let body = ''
    for await (const chunk of request) body += String(chunk)
    const { method = '', url = '', headers } = request
    const basic = `Basic ${Buffer.from(`x-access-token:${token}`).toString('base64')}`
    if (headers.authorization !== basic) answer(response, 401, { message: 'Bad credentials' })
    else if (url === '/graphql' && method === 'POST') answer(response, 200, run(body))
    else if (method === 'POST' && /^\/repos\/[^/]+\/[^/]+\/releases$/.test(url)) {
      writes.push(`${method} ${url} ${body}`)
      const { tag_name: tag } = JSON.parse(body) as { tag_name: string }
      const html = `https://github.com/acme/app/releases/tag/${tag}`
      answer(response, 201, {
        id: 1,
        tag_name: tag,
        html_url: html,
        url: 'x',
        upload_url: 'x',
        assets: [],
        draft: false,
      })
    } else {
      unknown.push(`${method} ${url}`)
      answer(response, 404, { message: 'Not Found' })
    }
  }
  const server = createServer(forAnyName(ca), (request, response) => {
    serve(request, response).catch((error: unknown) => {
      unknown.push(String(error))
      answer(response, 500, { message: 'broken' })
    })
  })
  const port = await listen(server)
  return {
    port,
    writes,
    unknown,
    close: () =>
      new Promise((done) => {
        server.close(() => done())
        server.closeAllConnections()
      }),
  }
}

interface Execution {
  readonly document: DocumentNode
  readonly variables: Values
  readonly unknown: string[]
  readonly onRoot: (field: string, values: Values) => void
}

function resolve(tree: Tree, set: SelectionSetNode, execution: Execution, isRoot = true): Tree {
  const found: Record<string, unknown> = {}
  for (const selection of set.selections) {
    if (selection.kind === 'FragmentSpread') {
      const fragment = execution.document.definitions.find(
        (one) => one.kind === 'FragmentDefinition' && one.name.value === selection.name.value,
      )
      if (fragment?.kind === 'FragmentDefinition')
        Object.assign(found, resolve(tree, fragment.selectionSet, execution, isRoot))
      continue
    }
    if (selection.kind === 'InlineFragment') {
      const type = selection.typeCondition?.name.value
      if (type === undefined || type === tree['__typename'] || isRoot)
        Object.assign(found, resolve(tree, selection.selectionSet, execution, isRoot))
      continue
    }
    const field = selection.name.value
    const values = Object.fromEntries(
      (selection.arguments ?? []).map(({ name, value }) => [name.value, valueOf(value, execution.variables)]),
    )
    if (isRoot) execution.onRoot(field, values)
    if (!Object.hasOwn(tree, field))
      execution.unknown.push(`${String(tree['__typename'] ?? 'root')}.${field}`)
    const value = tree[field]
    const inner = typeof value === 'function' ? (value as Resolver)(values) : value
    const below = (one: unknown) =>
      selection.selectionSet !== undefined && typeof one === 'object' && one !== null
        ? resolve(one as Tree, selection.selectionSet, execution, false)
        : one
    found[(selection.alias ?? selection.name).value] = Array.isArray(inner)
      ? inner.map(below)
      : below(inner ?? null)
  }
  return found
}

function valueOf(node: ValueNode, variables: Values): unknown {
  if (node.kind === 'Variable') return variables[node.name.value] ?? null
  if (node.kind === 'ObjectValue')
    return Object.fromEntries(node.fields.map(({ name, value }) => [name.value, valueOf(value, variables)]))
  return 'value' in node ? node.value : null
}
