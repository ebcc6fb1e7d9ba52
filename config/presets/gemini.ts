import type { Preset } from './preset.js'

export const gemini: Preset = {
  name: 'gemini',
  description: "Google's Gemini API: all methods of models",
  example: {},
  service: {
    url: 'https://generativelanguage.googleapis.com',
    credential: { header: { name: 'X-Goog-Api-Key', value: '${GEMINI_API_KEY}' } },
    also_in: { query: ['key'] },
    rules: [{ allow: 'GET,POST /v1beta/models/**' }, { allow: 'GET,POST /v1/models/**' }],
    env: { GEMINI_API_KEY: '{placeholder:GEMINI_API_KEY}', GOOGLE_API_KEY: '{placeholder:GEMINI_API_KEY}' },
  },
  placeholders: { value: { prefix: 'AIza', length: 39, alphabet: 'alphanumeric' } },
}
