import type { Preset } from './preset.js'

export const crates: Preset = {
  name: 'crates',
  description: 'crates.io: download crates with cargo; no publishing',
  example: {},
  service: {
    targets: ['https://index.crates.io', 'https://static.crates.io', 'https://crates.io'],
    rules: [{ allow: 'GET,HEAD /**' }],
  },
}
