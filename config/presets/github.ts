import type { Preset, PresetService } from './preset.js'

/** The API and git over https both accept a token as a password. */
export const GITHUB_SERVICE: PresetService = {
  targets: ['https://api.github.com', 'https://github.com', 'https://uploads.github.com'],
  credential: { basic: { username: 'x-access-token', password: '${GITHUB_TOKEN}' } },
  env: { GITHUB_TOKEN: '{placeholder:GITHUB_TOKEN}', GH_TOKEN: '{placeholder:GITHUB_TOKEN}' },
}

export const GITHUB_PLACEHOLDERS = {
  password: { prefix: 'ghp_', length: 40, alphabet: 'alphanumeric' },
} as const

export const github: Preset = {
  name: 'github',
  description: 'GitHub, API and git over https: read, push, write issues, pull requests and contents',
  example: {},
  service: {
    ...GITHUB_SERVICE,
    rules: [
      { allow: 'GET,HEAD /**' },
      { allow: 'POST /*/*/git-upload-pack' },
      { allow: 'POST /*/*/git-receive-pack' },
      { allow: 'POST /*/*/info/lfs/objects/batch' },
      { allow: 'POST,PATCH,PUT /repos/*/*/issues/**' },
      { allow: 'POST,PATCH,PUT /repos/*/*/pulls/**' },
      { allow: 'POST,PATCH,PUT /repos/*/*/contents/**' },
      { allow: 'POST,PATCH /repos/*/*/git/**' },
      { allow: 'POST,PATCH /repos/*/*/releases/**' },
      { allow: 'POST,PATCH /repos/*/*/check-runs/**' },
      { allow: 'POST /repos/*/*/statuses/*' },
    ],
  },
  placeholders: GITHUB_PLACEHOLDERS,
}
