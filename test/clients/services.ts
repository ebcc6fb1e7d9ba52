import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { createCa } from '../servers/certificate-authority.js'
import { checkCredential } from '../servers/credential-check.js'
import { listenTls, sendJson } from '../servers/tls-server.js'
import { startS3, type S3 } from '../servers/s3.js'
import { serveGit } from './git-backend.js'
import { HOSTS, S3_REGION } from './names.js'
import type { Secrets } from './secrets.js'

/** One request as it arrived. */
export interface Received {
  readonly host: string
  readonly method: string
  /** Without its query. */
  readonly path: string
  /** Whether the credential location contained exactly the real value. */
  readonly verified: boolean
}

export interface Services {
  readonly ports: { readonly web: number; readonly s3: number }
  /** PEM of the CA that issued their certificates. */
  readonly ca: string
  received(): readonly Received[]
  close(): Promise<void>
}

type Answer = (request: IncomingMessage, response: ServerResponse, path: string, body: Buffer) => unknown

const basic = (user: string, password: string) =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`

/**
 * All mock servers: the one for S3, which needs botocore, on a TLS port of its own, the others behind another. Each answers
 * only to its own real credential, and most say it back.
 */
export async function startServices(
  secrets: Secrets,
  repositories: string,
  withS3: boolean,
): Promise<Services> {
  const received: Received[] = []
  const authority = await createCa('Clients demo CA')
  const [first = '', ...others] = Object.values(HOSTS)
  const identity = await authority.issue([first, ...others])
  const github = basic('x-access-token', secrets.GITHUB_TOKEN)
  const jenkins = basic(secrets.JENKINS_USER, secrets.JENKINS_API_TOKEN)
  const git: Answer = (request, response, _path, body) =>
    serveGit(join(repositories, String(request.headers.host)), 'x-access-token', request, response, body)
  const table: Readonly<Record<string, { header: string; value: string; answer: Answer }>> = {
    [HOSTS.jira]: { header: 'authorization', value: `Bearer ${secrets.JIRA_API_TOKEN}`, answer: jira },
    [HOSTS.ci]: { header: 'authorization', value: jenkins, answer: jenkinsServer },
    [HOSTS.release]: { header: 'authorization', value: jenkins, answer: jenkinsServer },
    [HOSTS.github]: { header: 'authorization', value: github, answer: git },
    [HOSTS.git]: { header: 'authorization', value: github, answer: git },
    [HOSTS.githubApi]: { header: 'authorization', value: github, answer: githubApi },
    [HOSTS.openai]: { header: 'authorization', value: `Bearer ${secrets.OPENAI_API_KEY}`, answer: openai },
    [HOSTS.anthropic]: { header: 'x-api-key', value: secrets.ANTHROPIC_API_KEY, answer: anthropic },
  }
  const { port, close } = await listenTls(
    identity,
    async (request, response, body) => {
      const host = String(request.headers.host)
      const [path = ''] = (request.url ?? '').split('?')
      const service = table[host]
      const verified =
        host === HOSTS.teams
          ? path === `/${secrets.TEAMS_WEBHOOK_PATH}`
          : service !== undefined && checkCredential(request, service.header, service.value) === 'real'
      // The path of the webhook is a secret, and would appear in the table.
      received.push({
        host,
        method: request.method ?? '',
        path: host === HOSTS.teams ? '/…' : path,
        verified,
      })
      // Like a careless service: redaction and the session rule affect every response.
      response.setHeader('x-received', service === undefined ? path : String(request.headers[service.header]))
      response.setHeader('set-cookie', 'session=worth-as-much-as-the-credential')
      if (!verified) sendJson(response, 401, { message: 'not the real credential' })
      else if (service === undefined) response.end('1')
      else await service.answer(request, response, path, body)
    },
    '127.0.0.1',
  )
  const keys = {
    access: secrets.AWS_ACCESS_KEY_ID,
    secret: secrets.AWS_SECRET_ACCESS_KEY,
    region: S3_REGION,
  }
  const s3 = withS3 ? await startS3(identity, keys) : null
  return {
    ports: { web: port, s3: s3?.port ?? port },
    ca: authority.pem,
    received: () => [...received, ...receivedByS3(s3)],
    close: async () => {
      s3?.close()
      await close()
    },
  }
}

function receivedByS3(s3: S3 | null): readonly Received[] {
  return (s3?.requests ?? []).map(({ method, host, target, error }) => ({
    method,
    host,
    path: target.split('?')[0] ?? '',
    verified: error === null,
  }))
}

function jira(request: IncomingMessage, response: ServerResponse, path: string): void {
  const base = `https://${HOSTS.jira}/rest/api/2`
  const issue = (key: string) => ({
    id: key,
    key,
    self: `${base}/issue/${key}`,
    fields: { summary: 'An issue' },
  })
  const answers: Readonly<Record<string, unknown>> = {
    'GET /rest/api/2/serverInfo': { versionNumbers: [9, 0, 0], deploymentType: 'Server' },
    'GET /rest/api/2/field': [],
    'GET /rest/api/2/project/DEMO': { id: '1', key: 'DEMO', self: `${base}/project/1` },
    'GET /rest/api/2/myself': { name: 'jira-agent' },
    'GET /rest/api/2/search': { startAt: 0, maxResults: 50, total: 1, issues: [issue('DEMO-1')] },
    'GET /rest/api/2/issue/DEMO-1': issue('DEMO-1'),
    'GET /rest/api/2/issue/DEMO-2': issue('DEMO-2'),
    'POST /rest/api/2/issue': { id: '2', key: 'DEMO-2', self: `${base}/issue/2` },
    'POST /rest/api/2/issue/DEMO-2/comment': {
      id: '1',
      body: 'A comment',
      self: `${base}/issue/2/comment/1`,
    },
  }
  const answer = answers[`${request.method ?? ''} ${path}`]
  sendJson(response, answer === undefined ? 404 : 200, answer ?? {})
}

function jenkinsServer(request: IncomingMessage, response: ServerResponse, path: string): void {
  response.setHeader('x-jenkins', '2.500')
  if (path === '/me/api/json') sendJson(response, 200, { fullName: 'Build Agent', id: 'build-agent' })
  else if (path === '/job/app/build' && request.method === 'POST') {
    response.setHeader('location', `https://${String(request.headers.host)}/queue/item/7/`)
    response.writeHead(201).end()
  } else sendJson(response, 404, {})
}

function githubApi(_request: IncomingMessage, response: ServerResponse, path: string): void {
  if (path === '/user') sendJson(response, 200, { login: 'agent' })
  else sendJson(response, 200, [{ number: 1, title: 'An issue' }])
}

function openai(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  for (const content of ['Hello', ' from', ' afar']) {
    const chunk = { id: 'c', object: 'chat.completion.chunk', choices: [{ index: 0, delta: { content } }] }
    response.write(`data: ${JSON.stringify(chunk)}\n\n`)
  }
  response.end('data: [DONE]\n\n')
}

function anthropic(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const send = (type: string, fields: object) =>
    response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`)
  send('message_start', { message: { id: 'm', type: 'message', role: 'assistant', content: [], usage: {} } })
  send('content_block_start', { index: 0, content_block: { type: 'text', text: '' } })
  for (const text of ['Hello', ' from', ' afar']) {
    send('content_block_delta', { index: 0, delta: { type: 'text_delta', text } })
  }
  send('content_block_stop', { index: 0 })
  send('message_stop', {})
  response.end()
}
