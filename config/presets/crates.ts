import type { Preset } from './preset.js'

export const crates: Preset = {
  name: 'crates',
  description: 'crates.io: download crates with cargo; no publishing',
  example: {},
  service: {
    targets: ['https://index.crates.io', 'https://static.crates.io', 'https://crates.io'],
  },
  operations: [
    {
      about: 'search and download crates',
      allow: ['GET,HEAD /crates/**', 'GET,HEAD /api/v1/crates', 'GET,HEAD /api/v1/crates/**'],
    },
    {
      about: 'read the index; of the API, where accounts and tokens are, only the above',
      deny: ['* /api/**'],
      allow: [
        'GET,HEAD /config.json',
        'GET,HEAD /1/*',
        'GET,HEAD /2/*',
        'GET,HEAD /3/*/*',
        'GET,HEAD /*/*/*',
      ],
    },
  ],
}
