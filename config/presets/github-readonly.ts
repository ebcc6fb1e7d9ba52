import { GITHUB_SERVICE, GITHUB_PLACEHOLDERS } from './github.js'
import { GITHUB_QUERIES } from './github-graphql.js'
import { GITHUB_READS } from './github-reads.js'
import type { Preset } from './preset.js'

export const githubReadonly: Preset = {
  name: 'github-readonly',
  description: 'GitHub, API and git over https: read and clone; no pushes',
  example: {},
  service: GITHUB_SERVICE,
  operations: [...GITHUB_READS, GITHUB_QUERIES],
  placeholders: GITHUB_PLACEHOLDERS,
}
