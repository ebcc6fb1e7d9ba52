import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'

/** Creates a bare repository with one commit. */
export function makeRepository(root: string): void {
  const bare = join(root, 'team', 'app.git')
  const source = join(root, 'source')
  const git = (...words: string[]) =>
    execFileSync('git', ['-c', 'user.name=demo', '-c', 'user.email=demo@example.com', ...words], {
      stdio: 'pipe',
    })
  mkdirSync(source, { recursive: true })
  git('init', '-q', '-b', 'main', source)
  writeFileSync(join(source, 'README'), 'An application.\n')
  git('-C', source, 'add', 'README')
  git('-C', source, 'commit', '-qm', 'First')
  git('clone', '-q', '--bare', source, bare)
}

/** The commit that a branch points to; null if the branch does not exist. */
export function branchOf(root: string, branch: string): string | null {
  try {
    const args = ['-C', join(root, 'team', 'app.git'), 'rev-parse', '--verify', '-q', `refs/heads/${branch}`]
    return execFileSync('git', args, { encoding: 'utf8', stdio: 'pipe' }).trim()
  } catch {
    return null
  }
}

/** Answers with git's own server, `git http-backend`, which is a CGI program (RFC 3875). */
export async function serveGit(
  root: string,
  user: string,
  request: IncomingMessage,
  response: ServerResponse,
  body: Buffer,
): Promise<void> {
  const [path = '', query = ''] = (request.url ?? '').split('?')
  const header = (name: string) => String(request.headers[name] ?? '')
  const child = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env['PATH'] ?? '',
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: path,
      QUERY_STRING: query,
      REQUEST_METHOD: request.method ?? '',
      REMOTE_USER: user,
      CONTENT_TYPE: header('content-type'),
      CONTENT_LENGTH: String(body.length),
      HTTP_CONTENT_ENCODING: header('content-encoding'),
      GIT_PROTOCOL: header('git-protocol'),
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  child.stdin.on('error', () => undefined)
  child.stdin.end(body)
  const chunks: Buffer[] = []
  for await (const chunk of child.stdout) chunks.push(chunk as Buffer)
  const output = Buffer.concat(chunks)
  const end = output.indexOf('\r\n\r\n')
  let status = 200
  for (const line of output.subarray(0, Math.max(end, 0)).toString('latin1').split('\r\n')) {
    const [name = '', value = ''] = line.split(/: (.*)/s)
    if (name.toLowerCase() === 'status') status = Number(value.slice(0, 3))
    else if (name !== '') response.setHeader(name, value)
  }
  response.writeHead(end < 0 ? 500 : status)
  response.end(output.subarray(end + 4))
}
