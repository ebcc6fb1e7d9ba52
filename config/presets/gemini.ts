import type { Preset } from './preset.js'

/** Requests below both versions of the API. */
function versions(...requests: readonly string[]): readonly string[] {
  return ['/v1beta/', '/v1/'].flatMap((version) => requests.map((request) => request.replace('/', version)))
}

export const gemini: Preset = {
  name: 'gemini',
  description: "Google's Gemini API: all methods of models",
  example: {},
  service: {
    url: 'https://generativelanguage.googleapis.com',
    credential: { header: { name: 'X-Goog-Api-Key', value: '${GEMINI_API_KEY}' } },
    also_in: { query: ['key'] },
    env: { GEMINI_API_KEY: '{placeholder:GEMINI_API_KEY}', GOOGLE_API_KEY: '{placeholder:GEMINI_API_KEY}' },
  },
  operations: [
    { about: 'list models', allow: versions('GET /models', 'GET /models/*') },
    {
      about: 'generate content, count tokens, embed',
      allow: versions(
        'POST /models/*:generateContent',
        'POST /models/*:streamGenerateContent',
        'POST /models/*:countTokens',
        'POST /models/*:embedContent',
        'POST /models/*:batchEmbedContents',
        'POST /models/*:predict',
        'POST /models/*:predictLongRunning',
        'GET /models/*/operations/*',
      ),
    },
  ],
  placeholders: { value: { prefix: 'AIza', length: 39, alphabet: 'alphanumeric' } },
}
