import type { Operations } from './preset.js'

/** What is below a repository: `/repos/acme/app` in requests, `/repositories/1` in the links to further pages. */
const inRepository = (...paths: readonly string[]): readonly string[] =>
  ['/repos/*/*', '/repositories/*'].flatMap((repository) =>
    paths.map((path) => `GET,HEAD ${repository}${path}`),
  )

/**
 * Not here, because the response contains secrets or lists who has which rights: variables, secrets, keys, hooks and their
 * deliveries, `/feeds` (its URLs contain a token), alerts of secret scanning, unpublished advisories, migrations, gists, invitations,
 * and the logs and artifacts of Actions, which often contain what a workflow printed.
 */
export const GITHUB_READS: readonly Operations[] = [
  {
    about: 'clone and fetch',
    allow: ['GET,HEAD /*/*/info/refs', 'POST /*/*/git-upload-pack'],
  },
  {
    about: 'download releases and source archives',
    // On api.github.com these paths mean nothing, whatever a repository is called.
    allow: [
      'GET,HEAD /*/*/releases/download/**',
      'GET,HEAD /*/*/releases/latest/download/**',
      'GET,HEAD /*/*/archive/refs/**',
    ],
  },
  {
    about: 'read repositories: files, commits, branches, tags, releases',
    allow: inRepository(
      '',
      '/contents/**',
      '/readme/**',
      '/git/**',
      '/branches/**',
      '/tags',
      '/commits/**',
      '/compare/**',
      '/comments/**',
      '/releases/**',
      '/tarball/**',
      '/zipball/**',
      '/languages',
      '/license',
      '/topics',
      '/contributors',
      '/assignees/**',
      '/forks',
      '/events',
      '/stargazers',
      '/stats/*',
      '/community/profile',
      '/codeowners/errors',
    ),
  },
  {
    about: 'read issues, pull requests, labels and milestones',
    allow: inRepository('/issues/**', '/pulls/**', '/labels/**', '/milestones/**'),
  },
  {
    about: 'read the results of checks and workflows; not their logs and artifacts',
    allow: inRepository(
      '/check-runs/**',
      '/check-suites/**',
      '/actions/workflows',
      '/actions/workflows/*',
      '/actions/workflows/*/runs',
      '/actions/runs',
      '/actions/runs/*',
      '/actions/runs/*/jobs',
      '/actions/jobs/*',
    ),
  },
  {
    about: 'search',
    allow: ['GET,HEAD /search/*'],
  },
  {
    about: 'read public data of users and organizations, and what is assigned to the token’s user',
    allow: [
      'GET,HEAD /user',
      'GET,HEAD /user/repos',
      'GET,HEAD /user/orgs',
      'GET,HEAD /user/issues',
      'GET,HEAD /user/starred',
      'GET,HEAD /user/*/repos',
      'GET,HEAD /issues',
      'GET,HEAD /users/*',
      'GET,HEAD /users/*/repos',
      'GET,HEAD /users/*/orgs',
      'GET,HEAD /orgs/*',
      'GET,HEAD /orgs/*/repos',
      'GET,HEAD /orgs/*/issues',
      'GET,HEAD /organizations/*/repos',
      'GET,HEAD /installation/repositories',
    ],
  },
  {
    about: 'read about GitHub itself',
    allow: [
      'GET,HEAD /',
      'GET,HEAD /meta',
      'GET,HEAD /rate_limit',
      'GET,HEAD /emojis',
      'GET,HEAD /licenses/**',
      'GET,HEAD /gitignore/**',
      'GET,HEAD /advisories/**',
    ],
  },
]
