import type { Operations } from './preset.js'

const reads = (parent: string, ...paths: readonly string[]): readonly string[] =>
  paths.map((path) => `GET,HEAD /api/v4/${parent}${path}`)

const inProject = (...paths: readonly string[]) => reads('projects/{any}', ...paths)
const inGroup = (...paths: readonly string[]) => reads('groups/{any}', ...paths)

/**
 * Not here, because the response contains secrets or lists who has which rights: variables (also of pipelines and schedules), tokens,
 * keys, hooks, integrations, triggers, runners, members, exports, secure files, Terraform states, feature flags, a group's own
 * settings (with its runner token), and the logs and artifacts of jobs, which often contain what a script printed.
 */
export const GITLAB_READS: readonly Operations[] = [
  {
    about: 'secrets, even if a proxy in front of GitLab decodes `%2F`',
    deny: ['projects', 'groups'].flatMap((parent) =>
      ['variables', 'access_tokens', 'deploy_tokens', 'secure_files'].map(
        (name) => `* /api/v4/${parent}/*/${name}/**`,
      ),
    ),
  },
  {
    about: 'read projects: files, commits, branches, tags, releases, wikis, snippets, packages',
    allow: [
      'GET,HEAD /api/v4/projects',
      ...inProject(
        '',
        '/repository/**',
        '/releases/**',
        '/wikis/**',
        '/snippets/**',
        '/packages',
        '/languages',
        '/forks',
        '/events',
        '/users',
        '/templates/**',
        '/protected_branches',
      ),
    ],
  },
  {
    about: 'read issues, merge requests, labels, milestones and boards',
    allow: [
      ...reads('', 'issues', 'merge_requests', 'todos', 'events'),
      ...inProject(
        '/issues/**',
        '/issues_statistics',
        '/merge_requests/**',
        '/labels/**',
        '/milestones/**',
        '/iterations',
        '/boards/**',
      ),
      ...inGroup('/issues', '/merge_requests', '/labels/**', '/milestones/**', '/iterations', '/epics/**'),
    ],
  },
  {
    about: 'read the results of pipelines; not their variables, logs and artifacts',
    allow: inProject(
      '/pipelines',
      '/pipelines/*',
      '/pipelines/*/jobs',
      '/pipelines/*/bridges',
      '/pipelines/*/test_report',
      '/pipelines/*/test_report_summary',
      '/jobs',
      '/jobs/*',
    ),
  },
  {
    about: 'search',
    allow: [...reads('', 'search'), ...inProject('/search', '/-/search'), ...inGroup('/search', '/-/search')],
  },
  {
    about: 'read groups and users',
    allow: [
      ...reads('', 'groups', 'namespaces', 'namespaces/*', 'user', 'users', 'users/*', 'users/*/projects'),
      ...inGroup('/projects', '/subgroups', '/descendant_groups'),
    ],
  },
  {
    about: 'read about GitLab itself',
    allow: reads('', 'version', 'metadata', 'templates/**', 'avatar'),
  },
]
