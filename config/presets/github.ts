import { GITHUB_MUTATIONS, GITHUB_QUERIES } from './github-graphql.js'
import { GITHUB_READS } from './github-reads.js'
import type { ParameterValues, Preset, PresetService } from './preset.js'

/** The API and git over https both accept a token as a password. */
export const GITHUB_SERVICE: PresetService = {
  targets: ['https://api.github.com', 'https://github.com', 'https://uploads.github.com'],
  credential: { basic: { username: 'x-access-token', password: '${GITHUB_TOKEN}' } },
  env: { GITHUB_TOKEN: '{placeholder:GITHUB_TOKEN}', GH_TOKEN: '{placeholder:GITHUB_TOKEN}' },
}

export const GITHUB_PLACEHOLDERS = {
  password: { prefix: 'ghp_', length: 40, alphabet: 'alphanumeric' },
} as const

/** `{repo}` in the API, `{git}` for git over https, which takes the name with and without `.git`. */
function repositories({
  owner = [],
  project = [],
  repository_id: repository = [],
}: ParameterValues): Record<'repo' | 'git' | 'repository', readonly string[]> {
  const names = project.includes('*') ? ['*'] : project
  const repo = owner.flatMap((one) => names.map((name) => `${one}/${name}`))
  return {
    repository,
    repo,
    git: repo.flatMap((name) => (name.endsWith('*') ? [name] : [name, `${name}.git`])),
  }
}

/**
 * Not here, because they give rights to others, run code with other rights, or forge what protected branches rely on: members,
 * keys, hooks, secrets, variables, environments, deployments, protection, rulesets, Actions, Pages, forks, transfers, settings,
 * statuses and check runs.
 */
export const github: Preset = {
  name: 'github',
  description: 'GitHub, API and git over https: read, and write to the named repositories',
  example: { owner: 'acme', project: 'app' },
  parameters: {
    owner: {
      describe: 'the user or organization that owns the repositories to write to',
      pattern: /^[A-Za-z0-9][A-Za-z0-9-]{0,38}$/,
      example: 'acme',
    },
    project: {
      describe: 'a repository to write to, or `"*"` for all of the owner',
      pattern: /^(\*|[A-Za-z0-9._-]{1,100})$/,
      example: 'app',
    },
    repository_id: {
      describe:
        'the id of the repository, for `gh issue create` and `gh pr create`, which use it instead of the name',
      pattern: /^[A-Za-z0-9_=-]{1,100}$/,
      example: 'R_kgDOAJy2Kg',
      optional: true,
    },
  },
  variables: repositories,
  service: GITHUB_SERVICE,
  operations: [
    ...GITHUB_READS,
    GITHUB_QUERIES,
    {
      about: 'push, and upload large files',
      allow: [
        'POST /{git}/git-receive-pack',
        'POST /{git}/info/lfs/objects/batch',
        'POST /{git}/info/lfs/locks/verify',
      ],
    },
    {
      about: 'write issues, labels and milestones',
      allow: [
        'POST /repos/{repo}/issues',
        'PATCH /repos/{repo}/issues/*',
        'POST /repos/{repo}/issues/*/comments',
        'PATCH /repos/{repo}/issues/comments/*',
        'POST,PUT /repos/{repo}/issues/*/labels',
        'POST /repos/{repo}/issues/*/assignees',
        'POST /repos/{repo}/issues/*/sub_issues',
        'POST /repos/{repo}/issues/*/reactions',
        'POST /repos/{repo}/issues/comments/*/reactions',
        'POST /repos/{repo}/labels',
        'PATCH /repos/{repo}/labels/*',
        'POST /repos/{repo}/milestones',
        'PATCH /repos/{repo}/milestones/*',
      ],
    },
    {
      about: 'write, review and merge pull requests',
      allow: [
        'POST /repos/{repo}/pulls',
        'PATCH /repos/{repo}/pulls/*',
        'POST /repos/{repo}/pulls/*/comments',
        'POST /repos/{repo}/pulls/*/comments/*/replies',
        'PATCH /repos/{repo}/pulls/comments/*',
        'POST /repos/{repo}/pulls/comments/*/reactions',
        'POST /repos/{repo}/pulls/*/reviews',
        'PUT /repos/{repo}/pulls/*/reviews/*',
        'POST /repos/{repo}/pulls/*/reviews/*/events',
        'POST /repos/{repo}/pulls/*/requested_reviewers',
        'PUT /repos/{repo}/pulls/*/update-branch',
        'PUT /repos/{repo}/pulls/*/merge',
      ],
    },
    {
      about: 'write files, commits, branches and tags; not workflows through the contents API',
      // A push can still contain a workflow: that is for the token's own permission `workflow` to decide.
      deny: ['PUT,DELETE /repos/*/*/contents/.github/workflows/**'],
      allow: [
        'PUT /repos/{repo}/contents/**',
        'POST /repos/{repo}/git/blobs',
        'POST /repos/{repo}/git/trees',
        'POST /repos/{repo}/git/commits',
        'POST /repos/{repo}/git/tags',
        'POST /repos/{repo}/git/refs',
        'PATCH /repos/{repo}/git/refs/**',
        'POST /repos/{repo}/commits/*/comments',
        'PATCH /repos/{repo}/comments/*',
      ],
    },
    {
      about: 'write releases and their files',
      allow: [
        'POST /repos/{repo}/releases',
        'PATCH /repos/{repo}/releases/*',
        'POST /repos/{repo}/releases/generate-notes',
        'POST /repos/{repo}/releases/*/assets',
        'PATCH /repos/{repo}/releases/assets/*',
      ],
    },
    GITHUB_MUTATIONS,
  ],
  placeholders: GITHUB_PLACEHOLDERS,
}
