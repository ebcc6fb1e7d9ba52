import type { Preset } from './preset.js'

export const teams: Preset = {
  name: 'teams',
  description: 'Microsoft Teams: send messages through an incoming webhook, whose path is the secret',
  example: { url: 'https://example.webhook.office.com' },
  service: {
    credential: { path: { value: '${TEAMS_WEBHOOK_PATH}' } },
    env: { TEAMS_WEBHOOK_URL: '{url}/{placeholder:TEAMS_WEBHOOK_PATH}' },
  },
  operations: [{ about: 'send messages', allow: ['POST /*'] }],
}
