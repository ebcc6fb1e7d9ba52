import type { Preset } from './preset.js'

export const gitlab: Preset = {
  name: 'gitlab',
  description:
    "GitLab's REST API: read everything, write to projects; no variables, tokens, keys, hooks or members",
  example: {},
  service: {
    url: 'https://gitlab.com',
    credential: { header: { name: 'PRIVATE-TOKEN', value: '${GITLAB_TOKEN}' } },
    also_in: { headers: ['Authorization'], query: ['private_token'] },
    rules: [
      { deny: '* /api/v4/projects/*/variables/**' },
      { deny: '* /api/v4/projects/*/access_tokens/**' },
      { deny: '* /api/v4/projects/*/deploy_tokens/**' },
      { deny: '* /api/v4/projects/*/deploy_keys/**' },
      { deny: '* /api/v4/projects/*/hooks/**' },
      { deny: '* /api/v4/projects/*/members/**' },
      { deny: '* /api/v4/groups/*/variables/**' },
      { deny: '* /api/v4/admin/**' },
      { allow: 'GET,HEAD /api/v4/**' },
      { allow: 'POST,PUT /api/v4/projects/*/**' },
    ],
    env: {
      GITLAB_URL: '{url}',
      GITLAB_TOKEN: '{placeholder:GITLAB_TOKEN}',
      GITLAB_PRIVATE_TOKEN: '{placeholder:GITLAB_TOKEN}',
    },
  },
  placeholders: { value: { prefix: 'glpat-', length: 26, alphabet: 'alphanumeric' } },
}
