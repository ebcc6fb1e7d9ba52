import type { Operations, ParameterValues, Preset, PresetParameter } from './preset.js'

export const JIRA_PARAMETERS: Readonly<Record<string, PresetParameter>> = {
  project: {
    describe: 'the key of a project whose issues may be changed (default: all that the user may change)',
    pattern: /^[A-Z][A-Z0-9_]{1,254}$/,
    example: 'DEMO',
    optional: true,
  },
}

export function jiraIssues({ project = [] }: ParameterValues): Record<'issue', string[]> {
  return { issue: project.length === 0 ? ['*'] : project.map((key) => `${key}-*`) }
}

const reads = (...paths: readonly string[]): readonly string[] =>
  paths.map((path) => `GET,HEAD /rest/api/*/${path}`)

/**
 * Not here: deleting, notifying by mail, watchers, users, groups, roles, permissions, schemes, workflows, fields, webhooks, app
 * properties, the audit log, and sessions (`/rest/auth`).
 */
export const JIRA_OPERATIONS: readonly Operations[] = [
  {
    about: 'read issues, their comments, attachments and history',
    allow: reads(
      'issue/*',
      'issue/*/comment',
      'issue/*/comment/*',
      'issue/*/changelog',
      'issue/*/transitions',
      'issue/*/worklog',
      'issue/*/worklog/*',
      'issue/*/remotelink/**',
      'issue/*/watchers',
      'issue/*/votes',
      'issue/*/editmeta',
      'issue/createmeta/**',
      'issueLink/*',
      'issueLinkType',
      'issueLinkType/*',
      'attachment/**',
    ),
  },
  {
    about: 'search',
    allow: [
      ...reads('search', 'search/jql', 'jql/autocompletedata/**'),
      'POST /rest/api/*/search',
      'POST /rest/api/*/search/jql',
      'POST /rest/api/*/search/approximate-count',
      'POST /rest/api/*/jql/parse',
    ],
  },
  {
    about: 'read projects, versions, components, and the names of fields and states',
    allow: reads(
      'project',
      'project/search',
      'project/recent',
      'project/type',
      'project/*',
      'project/*/components',
      'project/*/component',
      'project/*/version',
      'project/*/versions',
      'project/*/statuses',
      'project/*/hierarchy',
      'component/*',
      'version/*',
      'version/*/relatedIssueCounts',
      'version/*/unresolvedIssueCount',
      'field',
      'field/search',
      'issuetype',
      'issuetype/project',
      'issuetype/*',
      'priority/**',
      'resolution/**',
      'status/**',
      'statuscategory/**',
      'label',
    ),
  },
  {
    about: 'read boards, sprints and epics',
    allow: [
      'board',
      'board/*',
      'board/*/backlog',
      'board/*/configuration',
      'board/*/epic/**',
      'board/*/issue',
      'board/*/project',
      'board/*/quickfilter',
      'board/*/sprint/**',
      'board/*/version',
      'sprint/*',
      'sprint/*/issue',
      'epic/*',
      'epic/*/issue',
      'issue/*',
      'issue/*/estimation',
    ].map((path) => `GET,HEAD /rest/agile/*/${path}`),
  },
  {
    about: 'read filters and dashboards, the own user, and find users to assign',
    allow: reads(
      'filter/my',
      'filter/favourite',
      'filter/search',
      'filter/*',
      'dashboard',
      'dashboard/*',
      'myself',
      'mypermissions',
      'user',
      'user/search',
      'user/picker',
      'user/assignable/search',
      'serverInfo',
    ),
  },
  {
    about: 'create issues',
    allow: ['POST /rest/api/*/issue', 'POST /rest/api/*/issue/bulk', 'POST /rest/api/*/issueLink'],
  },
  {
    about: 'change issues, comment, log work, attach files; not archive, notify or set properties',
    deny: [
      'PUT,POST /rest/api/*/issue/archive',
      'PUT,POST /rest/api/*/issue/unarchive',
      'PUT,POST /rest/api/*/issue/properties/**',
    ],
    allow: [
      'PUT /rest/api/*/issue/{issue}',
      'PUT /rest/api/*/issue/{issue}/assignee',
      'POST /rest/api/*/issue/{issue}/comment',
      'PUT /rest/api/*/issue/{issue}/comment/*',
      'POST /rest/api/*/issue/{issue}/transitions',
      'POST /rest/api/*/issue/{issue}/worklog',
      'PUT /rest/api/*/issue/{issue}/worklog/*',
      'POST /rest/api/*/issue/{issue}/attachments',
      'POST /rest/api/*/issue/{issue}/remotelink',
    ],
  },
]

export const jira: Preset = {
  name: 'jira',
  description: 'Jira Data Center and Server, with a personal access token: read, write issues',
  example: { url: 'https://jira.example.com' },
  parameters: JIRA_PARAMETERS,
  variables: jiraIssues,
  service: {
    credential: { bearer: { token: '${JIRA_API_TOKEN}' } },
    env: {
      JIRA_SERVER: '{url}',
      JIRA_URL: '{url}',
      JIRA_API_TOKEN: '{placeholder:JIRA_API_TOKEN}',
      JIRA_PERSONAL_TOKEN: '{placeholder:JIRA_API_TOKEN}',
    },
  },
  operations: JIRA_OPERATIONS,
}
