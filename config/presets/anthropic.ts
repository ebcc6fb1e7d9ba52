import type { Preset } from './preset.js'

export const anthropic: Preset = {
  name: 'anthropic',
  description: "Anthropic's API: models and messages",
  example: {},
  service: {
    url: 'https://api.anthropic.com',
    credential: { header: { name: 'X-Api-Key', value: '${ANTHROPIC_API_KEY}' } },
    also_in: { headers: ['Authorization'] },
    env: { ANTHROPIC_API_KEY: '{placeholder:ANTHROPIC_API_KEY}', ANTHROPIC_BASE_URL: '{url}' },
  },
  operations: [
    // Claude Code asks for it before anything else, and ends without it.
    { about: 'check the connection', allow: ['GET /api/hello'] },
    { about: 'list models', allow: ['GET /v1/models', 'GET /v1/models/*'] },
    { about: 'send messages, count tokens', allow: ['POST /v1/messages', 'POST /v1/messages/count_tokens'] },
    {
      about: 'send and read batches of messages',
      allow: [
        'GET,POST /v1/messages/batches',
        'GET /v1/messages/batches/*',
        'GET /v1/messages/batches/*/results',
        'POST /v1/messages/batches/*/cancel',
      ],
    },
  ],
  placeholders: { value: { prefix: 'sk-ant-api03-', length: 108, alphabet: 'alphanumeric' } },
}
