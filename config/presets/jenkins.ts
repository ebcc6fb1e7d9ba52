import type { ParameterValues, Preset } from './preset.js'

/** How deep folders may be nested; a path pattern cannot say "any depth, then `api/json`". */
const MAX_FOLDERS = 5

const ANY_JOB = Array.from({ length: MAX_FOLDERS }, (_, depth) =>
  ['*', ...Array.from({ length: depth }, () => '*')].join('/job/'),
)

/** `{any}`: a job in up to five folders. `{job}`: the named jobs, and the jobs below them where they are folders. */
function jobs({ project = [] }: ParameterValues): Record<'any' | 'job', readonly string[]> {
  const outermost = project.filter((name) => !project.some((other) => name.startsWith(`${other}/`)))
  const named = outermost
    .map((name) => name.split('/').join('/job/'))
    .flatMap((path) => [path, ...ANY_JOB.slice(0, -1).map((rest) => `${path}/job/${rest}`)])
  return { any: ANY_JOB, job: project.length === 0 ? ANY_JOB : named }
}

/**
 * Not here: the script console, credentials, pages of nodes (with the secrets of agents), users and their tokens, plugins, settings,
 * creating, configuring (`config.xml`), deleting and replaying jobs, workspaces, artifacts, injected variables, and the console text
 * of builds, which often contains what a script printed.
 */
export const jenkins: Preset = {
  name: 'jenkins',
  description: 'Jenkins, one or several instances (`targets`): read, start and stop builds',
  example: { targets: ['https://ci.example.com', 'https://release.example.com'] },
  parameters: {
    project: {
      describe: 'a job that may be started and stopped, with its folders, or a folder (default: all jobs)',
      pattern: /^[A-Za-z0-9_.-]+(\/[A-Za-z0-9_.-]+)*$/,
      example: 'team/app',
      optional: true,
    },
  },
  variables: jobs,
  service: {
    credential: { basic: { username: '${JENKINS_USER}', password: '${JENKINS_API_TOKEN}' } },
    env: {
      JENKINS_URL: '{url}',
      JENKINS_USER_ID: '{placeholder:JENKINS_USER}',
      JENKINS_API_TOKEN: '{placeholder:JENKINS_API_TOKEN}',
    },
  },
  operations: [
    {
      about: 'read jobs, views, nodes, the queue, and the own user',
      allow: [
        'GET,HEAD /',
        'GET,HEAD /api/*',
        'GET,HEAD /me/api/*',
        'GET,HEAD /whoAmI/api/*',
        'GET,HEAD /crumbIssuer/api/*',
        'GET,HEAD /queue/api/*',
        'GET,HEAD /queue/item/*/api/*',
        'GET,HEAD /view/*/api/*',
        'GET,HEAD /computer/api/*',
        'GET,HEAD /computer/*/api/*',
        'GET,HEAD /job/{any}/api/*',
      ],
    },
    {
      about: 'read builds and their test reports; not their console text and artifacts',
      allow: [
        'GET,HEAD /job/{any}/*/api/*',
        'GET,HEAD /job/{any}/*/testReport/api/*',
        'GET,HEAD /job/{any}/*/wfapi/describe',
      ],
    },
    {
      about: 'start and stop builds',
      allow: [
        'POST /job/{job}/build',
        'POST /job/{job}/buildWithParameters',
        'POST /job/{job}/*/stop',
        'POST /queue/cancelItem',
      ],
    },
  ],
  placeholders: { password: { prefix: '11', length: 34, alphabet: 'hex' } },
}
