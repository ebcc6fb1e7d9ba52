import type { Identity } from './certificate-authority.js'
import { checkCredential, describeLocation } from './credential-check.js'
import { readLeniently } from './lenient-path.js'
import type { RequestRecord, Placeholder } from './records.js'
import { headerPairs, listenTls, sendJson } from './tls-server.js'

/** The demo's policy allows everything below this path, except below the next one. */
const API = '/rest/api/2/'
const DENIED = '/rest/api/2/secure'

interface Issue {
  readonly key: string
  readonly fields: { readonly summary: string; readonly status: { readonly name: string } }
}

/** A Jira-like REST API that accepts only one token. */
export async function startJira(
  identity: Identity,
  token: string,
  host = '127.0.0.1',
): Promise<Placeholder<RequestRecord>> {
  const records: RequestRecord[] = []
  const issues = new Map<string, Issue>()
  addIssue(issues, 'Rotate the deploy key')
  addIssue(issues, 'Write the release notes')

  const { port, close } = await listenTls(
    identity,
    (request, response, body) => {
      const { method = '', url: target = '' } = request
      const credential = checkCredential(request, 'authorization', `Bearer ${token}`)
      const path = readLeniently(target)
      const outside = !path.startsWith(API) || path.startsWith(DENIED) || method === 'DELETE'
      records.push({ at: Date.now(), method, target, headers: headerPairs(request), credential, outside })
      if (credential !== 'real') {
        sendJson(response, 401, {
          errorMessages: [`401: received ${describeLocation(request, 'authorization')}`],
        })
        return
      }
      const [status, answer] = route(method, path, body, issues)
      sendJson(response, status, answer)
    },
    host,
  )
  return { port, records, close }
}

function route(method: string, path: string, body: Buffer, issues: Map<string, Issue>): [number, unknown] {
  if (method === 'GET' && path === `${API}myself`) {
    return [200, { name: 'agent', displayName: 'Example Agent', active: true }]
  }
  if (method === 'GET' && path === `${API}search`) {
    return [200, { startAt: 0, total: issues.size, issues: [...issues.values()] }]
  }
  if (method === 'POST' && path === `${API}issue`) {
    const summary = readSummary(body)
    if (summary === null) return [400, { errors: { summary: 'You must specify a summary of the issue.' } }]
    const { key } = addIssue(issues, summary)
    return [201, { id: key.slice('DEMO-'.length), key }]
  }
  if (method === 'DELETE' && path.startsWith(`${API}issue/`)) {
    return issues.delete(path.slice(`${API}issue/`.length))
      ? [204, {}]
      : [404, { errorMessages: ['No such issue'] }]
  }
  if (path.startsWith('/admin')) return [200, { administrators: ['root'] }]
  return [404, { errorMessages: ['Not found'] }]
}

function addIssue(issues: Map<string, Issue>, summary: string): Issue {
  const issue = { key: `DEMO-${issues.size + 1}`, fields: { summary, status: { name: 'Open' } } }
  issues.set(issue.key, issue)
  return issue
}

function readSummary(body: Buffer): string | null {
  try {
    const issue = JSON.parse(body.toString()) as { fields?: { summary?: unknown } }
    return typeof issue.fields?.summary === 'string' ? issue.fields.summary : null
  } catch {
    return null
  }
}
