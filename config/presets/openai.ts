import type { Preset } from './preset.js'

export const openai: Preset = {
  name: 'openai',
  description: "OpenAI's API: models, responses, chat, embeddings, images, audio",
  example: {},
  service: {
    url: 'https://api.openai.com',
    credential: { bearer: { token: '${OPENAI_API_KEY}' } },
    rules: [
      { allow: 'GET /v1/models/**' },
      { allow: 'GET,POST /v1/responses/**' },
      { allow: 'POST /v1/chat/completions' },
      { allow: 'POST /v1/embeddings' },
      { allow: 'POST /v1/moderations' },
      { allow: 'POST /v1/images/**' },
      { allow: 'POST /v1/audio/**' },
      { allow: 'GET /v1/realtime' },
    ],
    env: { OPENAI_API_KEY: '{placeholder:OPENAI_API_KEY}', OPENAI_BASE_URL: '{url}/v1' },
  },
  placeholders: { token: { prefix: 'sk-proj-', length: 164, alphabet: 'alphanumeric' } },
}
