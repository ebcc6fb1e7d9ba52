import { GITHUB_SERVICE, GITHUB_PLACEHOLDERS } from './github.js'
import type { Preset } from './preset.js'

export const githubReadonly: Preset = {
  name: 'github-readonly',
  description: 'GitHub, API and git over https: read and clone; no pushes',
  example: {},
  service: {
    ...GITHUB_SERVICE,
    rules: [
      { deny: '* /*/*/git-receive-pack' },
      { allow: 'GET,HEAD /**' },
      { allow: 'POST /*/*/git-upload-pack' },
    ],
  },
  placeholders: GITHUB_PLACEHOLDERS,
}
