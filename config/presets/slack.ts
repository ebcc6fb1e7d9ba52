import type { Preset } from './preset.js'

export const slack: Preset = {
  name: 'slack',
  description: "Slack's Web API, with a bot token: read, write messages and files",
  example: {},
  service: {
    targets: ['https://slack.com', 'https://files.slack.com'],
    credential: { bearer: { token: '${SLACK_BOT_TOKEN}' } },
    rules: [
      { allow: 'GET,POST /api/auth.test' },
      { allow: 'GET,POST /api/chat.*' },
      { allow: 'GET,POST /api/conversations.history' },
      { allow: 'GET,POST /api/conversations.info' },
      { allow: 'GET,POST /api/conversations.join' },
      { allow: 'GET,POST /api/conversations.list' },
      { allow: 'GET,POST /api/conversations.members' },
      { allow: 'GET,POST /api/conversations.open' },
      { allow: 'GET,POST /api/conversations.replies' },
      { allow: 'GET,POST /api/files.*' },
      { allow: 'GET,POST /api/reactions.*' },
      { allow: 'GET,POST /api/users.*' },
      { allow: 'GET /files-pri/**' },
      { allow: 'POST /upload/**' },
    ],
    env: { SLACK_BOT_TOKEN: '{placeholder:SLACK_BOT_TOKEN}' },
  },
  placeholders: { token: { prefix: 'xoxb-', length: 56, alphabet: 'alphanumeric' } },
}
