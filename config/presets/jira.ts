import type { Preset, PresetRule } from './preset.js'

/** Without deleting, users, schemes and sessions (`/rest/auth`). */
export const JIRA_RULES: readonly PresetRule[] = [
  { allow: 'GET,HEAD /rest/api/**' },
  { allow: 'GET,HEAD /rest/agile/**' },
  { allow: 'POST /rest/api/*/search/**' },
  { allow: 'POST,PUT /rest/api/*/issue/**' },
  { allow: 'POST /rest/api/*/issueLink' },
]

export const jira: Preset = {
  name: 'jira',
  description: 'Jira Data Center and Server, with a personal access token: read everything, write issues',
  example: { url: 'https://jira.example.com' },
  service: {
    credential: { bearer: { token: '${JIRA_API_TOKEN}' } },
    rules: JIRA_RULES,
    env: {
      JIRA_SERVER: '{url}',
      JIRA_URL: '{url}',
      JIRA_API_TOKEN: '{placeholder:JIRA_API_TOKEN}',
      JIRA_PERSONAL_TOKEN: '{placeholder:JIRA_API_TOKEN}',
    },
  },
}
