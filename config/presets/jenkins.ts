import type { Preset } from './preset.js'

export const jenkins: Preset = {
  name: 'jenkins',
  description: 'Jenkins, one or several instances (`targets`): read, start and stop builds',
  example: { targets: ['https://ci.example.com', 'https://release.example.com'] },
  service: {
    credential: { basic: { username: '${JENKINS_USER}', password: '${JENKINS_API_TOKEN}' } },
    rules: [
      { deny: '* /script/**' },
      { deny: '* /scriptText/**' },
      { deny: '* /credentials/**' },
      { deny: '* /manage/**' },
      { deny: '* /cli/**' },
      { allow: 'GET,HEAD /**' },
      { allow: 'POST /job/*/build' },
      { allow: 'POST /job/*/buildWithParameters' },
      { allow: 'POST /job/*/*/stop' },
      { allow: 'POST /job/*/job/*/build' },
      { allow: 'POST /job/*/job/*/buildWithParameters' },
      { allow: 'POST /job/*/job/*/*/stop' },
      { allow: 'POST /queue/cancelItem' },
    ],
    env: {
      JENKINS_URL: '{url}',
      JENKINS_USER_ID: '{placeholder:JENKINS_USER}',
      JENKINS_API_TOKEN: '{placeholder:JENKINS_API_TOKEN}',
    },
  },
  placeholders: { password: { prefix: '11', length: 34, alphabet: 'hex' } },
}
