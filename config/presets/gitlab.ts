import { GITLAB_READS } from './gitlab-reads.js'
import type { ParameterValues, Preset } from './preset.js'

/**
 * `{id}`: the named projects, as `group%2Fproject` and by number. `{any}`: every project or group. GitLab keeps `%2F` in a segment,
 * which the first of its patterns says.
 */
function projects({ owner = [], project = [], project_id: ids = [] }: ParameterValues) {
  const named = owner.flatMap((one) => project.map((name) => `${one}/${name}`.replaceAll('/', '%2F')))
  return { id: [...named, ...ids], any: ['*%2F*', '*'] }
}

/**
 * Not here, because they give rights to others or run code with other rights: members, invitations, shares, tokens, keys, hooks,
 * integrations, variables, triggers, pipelines, runners, mirrors, exports, forks, transfers, moving issues, protection, environments,
 * deployments, approvals, statuses and settings.
 */
export const gitlab: Preset = {
  name: 'gitlab',
  description: "GitLab's REST API: read, and write to the named projects",
  example: { owner: 'acme', project: 'app' },
  parameters: {
    owner: {
      describe: 'the group (with its parents) or user that owns the projects to write to',
      pattern: /^[A-Za-z0-9_][A-Za-z0-9_.-]*(\/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$/,
      example: 'acme',
    },
    project: {
      describe: 'a project to write to',
      pattern: /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/,
      example: 'app',
    },
    project_id: {
      describe: 'the number of the project, for clients that use it instead of the name',
      pattern: /^[1-9][0-9]{0,15}$/,
      example: '42',
      optional: true,
    },
  },
  variables: projects,
  service: {
    url: 'https://gitlab.com',
    credential: { header: { name: 'PRIVATE-TOKEN', value: '${GITLAB_TOKEN}' } },
    also_in: { headers: ['Authorization'], query: ['private_token'] },
    env: {
      GITLAB_URL: '{url}',
      GITLAB_TOKEN: '{placeholder:GITLAB_TOKEN}',
      GITLAB_PRIVATE_TOKEN: '{placeholder:GITLAB_TOKEN}',
    },
  },
  operations: [
    ...GITLAB_READS,
    {
      about: 'write issues, labels and milestones',
      allow: inProject(
        'POST /issues',
        'PUT /issues/*',
        'POST /issues/*/notes',
        'PUT /issues/*/notes/*',
        'POST /issues/*/discussions',
        'POST /issues/*/discussions/*/notes',
        'PUT /issues/*/discussions/*/notes/*',
        'POST /issues/*/links',
        'POST /issues/*/award_emoji',
        'POST /issues/*/add_spent_time',
        'POST /issues/*/time_estimate',
        'POST /labels',
        'PUT /labels/*',
        'POST /milestones',
        'PUT /milestones/*',
        'POST /uploads',
      ),
    },
    {
      about: 'write, review and merge merge requests',
      allow: inProject(
        'POST /merge_requests',
        'PUT /merge_requests/*',
        'POST /merge_requests/*/notes',
        'PUT /merge_requests/*/notes/*',
        'POST /merge_requests/*/discussions',
        'PUT /merge_requests/*/discussions/*',
        'POST /merge_requests/*/discussions/*/notes',
        'PUT /merge_requests/*/discussions/*/notes/*',
        'POST /merge_requests/*/award_emoji',
        'PUT /merge_requests/*/rebase',
        'PUT /merge_requests/*/merge',
      ),
    },
    {
      about: 'write files, commits, branches and tags; not the CI configuration through the files API',
      deny: inProject('POST,PUT /repository/files/.gitlab-ci.yml'),
      allow: inProject(
        'POST,PUT /repository/files/**',
        'POST /repository/commits',
        'POST /repository/commits/*/comments',
        'POST /repository/commits/*/cherry_pick',
        'POST /repository/commits/*/revert',
        'POST /repository/branches',
        'POST /repository/tags',
      ),
    },
    {
      about: 'write releases and wiki pages',
      allow: inProject(
        'POST /releases',
        'PUT /releases/*',
        'POST /releases/*/assets/links',
        'POST /wikis',
        'PUT /wikis/*',
      ),
    },
    { about: 'check a CI configuration', allow: inProject('POST /ci/lint') },
  ],
  placeholders: { value: { prefix: 'glpat-', length: 26, alphabet: 'alphanumeric' } },
}

function inProject(...requests: readonly string[]): readonly string[] {
  return requests.map((request) => request.replace(' /', ' /api/v4/projects/{id}/'))
}
