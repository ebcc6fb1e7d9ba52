import type { Preset } from './preset.js'

export const anthropic: Preset = {
  name: 'anthropic',
  description: "Anthropic's API: models and messages",
  example: {},
  service: {
    url: 'https://api.anthropic.com',
    credential: { header: { name: 'X-Api-Key', value: '${ANTHROPIC_API_KEY}' } },
    also_in: { headers: ['Authorization'] },
    rules: [{ allow: 'GET /v1/models/**' }, { allow: 'GET,POST /v1/messages/**' }],
    env: { ANTHROPIC_API_KEY: '{placeholder:ANTHROPIC_API_KEY}', ANTHROPIC_BASE_URL: '{url}' },
  },
  placeholders: { value: { prefix: 'sk-ant-api03-', length: 108, alphabet: 'alphanumeric' } },
}
