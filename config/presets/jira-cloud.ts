import { JIRA_OPERATIONS, JIRA_PARAMETERS, jiraIssues } from './jira.js'
import type { Preset } from './preset.js'

export const jiraCloud: Preset = {
  name: 'jira-cloud',
  description: 'Jira Cloud, with an e-mail address and an API token: read, write issues',
  example: { url: 'https://example.atlassian.net' },
  parameters: JIRA_PARAMETERS,
  variables: jiraIssues,
  service: {
    credential: { basic: { username: '${JIRA_EMAIL}', password: '${JIRA_API_TOKEN}' } },
    env: {
      JIRA_SERVER: '{url}',
      JIRA_URL: '{url}',
      JIRA_USERNAME: '{placeholder:JIRA_EMAIL}',
      JIRA_API_TOKEN: '{placeholder:JIRA_API_TOKEN}',
    },
  },
  operations: JIRA_OPERATIONS,
}
