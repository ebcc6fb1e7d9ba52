import type { Preset } from './preset.js'

export const openai: Preset = {
  name: 'openai',
  description: "OpenAI's API: models, responses, chat, embeddings, images, audio",
  example: {},
  service: {
    url: 'https://api.openai.com',
    credential: { bearer: { token: '${OPENAI_API_KEY}' } },
    env: { OPENAI_API_KEY: '{placeholder:OPENAI_API_KEY}', OPENAI_BASE_URL: '{url}/v1' },
  },
  operations: [
    { about: 'list models', allow: ['GET /v1/models', 'GET /v1/models/*'] },
    {
      about: 'create and read responses',
      allow: [
        'GET,POST /v1/responses',
        'POST /v1/responses/compact',
        'POST /v1/responses/input_tokens',
        'GET /v1/responses/*',
        'GET /v1/responses/*/input_items',
        'POST /v1/responses/*/cancel',
      ],
    },
    {
      about: 'chat, embed, moderate',
      allow: ['POST /v1/chat/completions', 'POST /v1/embeddings', 'POST /v1/moderations'],
    },
    {
      about: 'generate and edit images',
      allow: ['POST /v1/images/generations', 'POST /v1/images/edits', 'POST /v1/images/variations'],
    },
    {
      about: 'speak, transcribe and translate audio',
      allow: ['POST /v1/audio/speech', 'POST /v1/audio/transcriptions', 'POST /v1/audio/translations'],
    },
    // Not `/v1/realtime/client_secrets` and `/v1/realtime/sessions`: they create keys.
    { about: 'open a realtime WebSocket', allow: ['GET /v1/realtime'] },
  ],
  placeholders: { token: { prefix: 'sk-proj-', length: 164, alphabet: 'alphanumeric' } },
}
