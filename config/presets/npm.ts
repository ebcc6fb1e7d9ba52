import type { Preset } from './preset.js'

export const npm: Preset = {
  name: 'npm',
  description: 'The npm registry: install and audit; no publishing',
  example: {},
  service: {
    url: 'https://registry.npmjs.org',
  },
  operations: [
    {
      about: 'search, audit, and verify signatures',
      allow: [
        'GET,HEAD /-/v1/search',
        'GET,HEAD /-/ping',
        'GET,HEAD /-/npm/v1/keys',
        'GET,HEAD /-/npm/v1/attestations/**',
        'GET,HEAD /-/package/*/dist-tags',
        'GET,HEAD /-/package/*/*/dist-tags',
        'POST /-/npm/v1/security/audits/quick',
        'POST /-/npm/v1/security/audits',
        'POST /-/npm/v1/security/advisories/bulk',
      ],
    },
    {
      about: 'download packages; of `/-/`, where accounts, tokens, teams and hooks are, only the above',
      deny: ['* /-/**'],
      allow: ['GET,HEAD /**'],
    },
  ],
}
