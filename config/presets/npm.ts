import type { Preset } from './preset.js'

export const npm: Preset = {
  name: 'npm',
  description: 'The npm registry: install and audit; no publishing',
  example: {},
  service: {
    url: 'https://registry.npmjs.org',
    rules: [{ allow: 'GET,HEAD /**' }, { allow: 'POST /-/npm/v1/security/**' }],
  },
}
