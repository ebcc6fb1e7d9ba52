import type { Preset } from './preset.js'

export const slackWebhook: Preset = {
  name: 'slack-webhook',
  description: 'Slack: send messages through an incoming webhook, whose path is the secret',
  example: {},
  service: {
    url: 'https://hooks.slack.com/services',
    credential: { path: { value: '${SLACK_WEBHOOK_PATH}' } },
    env: { SLACK_WEBHOOK_URL: '{url}/{placeholder:SLACK_WEBHOOK_PATH}' },
  },
  operations: [{ about: 'send messages', allow: ['POST /*'] }],
}
