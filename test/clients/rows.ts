import { HOSTS, type Host } from './names.js'

/** What one client does, and the most similar action that must be denied. */
export interface Row {
  readonly id: string
  readonly client: string
  readonly does: string
  /** Debian packages that it needs; npm packages are always installed. */
  readonly needs: readonly string[]
  readonly allowed: Call
  readonly refused: Call
}

export interface Call {
  /** Command inside; `python` and `node` mean the interpreters, `@` the directory of the scripts. */
  readonly command: readonly string[]
  /** Text that it must print; for a denied action, on standard error or output. */
  readonly says: RegExp
  /** Host of its requests. */
  readonly hosts: readonly Host[]
  /** The request in question: `METHOD /path`. */
  readonly request: string
}

const hello = /Hello from afar in \d+ (chunks|events)/
const denial = /no-rule|No rule of this destination|403/

function script(
  file: string,
  request: string,
  control: string,
  host: Host,
  says: RegExp,
): Pick<Row, 'allowed' | 'refused'> {
  const call = (word: string) => [file.endsWith('.py') ? 'python' : 'node', `@/${file}`, word]
  return {
    allowed: { command: call('allowed'), says, hosts: [host], request },
    refused: { command: call('refused'), says: denial, hosts: [host], request: control },
  }
}

export const ROWS: readonly Row[] = [
  {
    id: 'jira',
    client: 'python3-jira',
    does: 'search, create an issue, comment; may not delete',
    needs: ['python3-jira'],
    ...script(
      'jira_client.py',
      'POST /rest/api/2/issue/DEMO-2/comment',
      'DELETE /rest/api/2/issue/DEMO-1',
      HOSTS.jira,
      /jira-agent, 1 issues, made DEMO-2/,
    ),
  },
  {
    id: 'jenkins',
    client: 'python3-jenkins',
    does: 'build on two instances; not on a third',
    needs: ['python3-jenkins'],
    allowed: {
      command: ['python', '@/jenkins_client.py', HOSTS.ci, HOSTS.release],
      says: /Build Agent, build 7; Build Agent, build 7/,
      hosts: [HOSTS.ci, HOSTS.release],
      request: 'POST /job/app/build',
    },
    refused: {
      command: ['python', '@/jenkins_client.py', HOSTS.third],
      says: /403|Forbidden|ProxyError|Error in request/,
      hosts: [HOSTS.third],
      request: 'GET /me/api/json',
    },
  },
  {
    id: 'boto3',
    client: 'boto3, S3',
    does: 'put, get, list, 64 MiB in parts, presigned get; may not delete',
    needs: ['python3-boto3'],
    ...script(
      's3_client.py',
      'PUT /dir/report',
      'DELETE /dir/report',
      HOSTS.reports,
      /^1 object, 64 MiB in parts and back, presigned$/,
    ),
  },
  {
    id: 'aws',
    client: 'aws command line, S3',
    does: 'put, get, list, 64 MiB in parts, presigned get; not to another bucket',
    needs: ['awscli', 'python3-boto3'],
    allowed: {
      command: ['sh', '@/aws-client.sh', 'backups'],
      says: /^1 object, 64 MiB in parts and back, presigned$/,
      hosts: [HOSTS.backups],
      request: 'PUT /dir/report',
    },
    refused: {
      command: ['sh', '@/aws-client.sh', 'attacker'],
      says: /Failed to connect to proxy URL|403/,
      hosts: [HOSTS.otherBucket],
      request: 'PUT /dir/report',
    },
  },
  {
    id: 'git',
    client: 'git over https',
    does: 'clone and push; no push with the read-only preset',
    needs: ['git'],
    allowed: {
      command: ['sh', '@/git-client.sh', 'push', HOSTS.git],
      says: /pushed [0-9a-f]{7}/,
      hosts: [HOSTS.git],
      request: 'POST /team/app.git/git-receive-pack',
    },
    refused: {
      command: ['sh', '@/git-client.sh', 'push', HOSTS.github],
      says: /403/,
      hosts: [HOSTS.github],
      request: 'POST /team/app.git/git-receive-pack',
    },
  },
  {
    id: 'clone',
    client: 'git over https, read-only',
    does: 'clone; not from an unlisted host',
    needs: ['git'],
    allowed: {
      command: ['sh', '@/git-client.sh', 'clone', HOSTS.github],
      says: /cloned: An application/,
      hosts: [HOSTS.github],
      request: 'POST /team/app.git/git-upload-pack',
    },
    refused: {
      command: ['sh', '@/git-client.sh', 'clone', HOSTS.third],
      says: /403/,
      hosts: [HOSTS.third],
      request: 'GET /team/app.git/info/refs',
    },
  },
  {
    id: 'teams',
    client: 'curl, Teams webhook',
    does: 'post a message; not to another webhook',
    needs: ['curl'],
    allowed: {
      command: ['sh', '-c', 'curl -sS -d \'{"text":"hello"}\' "$TEAMS_WEBHOOK_URL"'],
      says: /^1$/,
      hosts: [HOSTS.teams],
      request: 'POST /…',
    },
    refused: {
      command: [
        'sh',
        '-c',
        `curl -sS -d '{"text":"hello"}' https://${HOSTS.teams}/webhookb2/of-somebody-else`,
      ],
      says: /"reason":"no-rule"/,
      hosts: [HOSTS.teams],
      request: 'POST /…',
    },
  },
  {
    id: 'openai',
    client: 'openai (npm), streaming',
    does: 'chat; may not list files',
    needs: [],
    ...script('openai-client.mjs', 'POST /v1/chat/completions', 'GET /v1/files', HOSTS.openai, hello),
  },
  {
    id: 'anthropic',
    client: '@anthropic-ai/sdk, streaming',
    does: 'messages; may not list keys',
    needs: [],
    ...script(
      'anthropic-client.mjs',
      'POST /v1/messages',
      'GET /v1/organizations/api_keys',
      HOSTS.anthropic,
      hello,
    ),
  },
  {
    id: 'octokit',
    client: '@octokit/rest',
    does: 'read user and issues; may not create one',
    needs: [],
    ...script(
      'octokit-client.mjs',
      'GET /repos/team/app/issues',
      'POST /repos/team/app/issues',
      HOSTS.githubApi,
      /agent, 1 issue/,
    ),
  },
]
