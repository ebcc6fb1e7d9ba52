import type { Preset } from './preset.js'

export const go: Preset = {
  name: 'go',
  description: 'Go modules, from the module mirror and the checksum database alone',
  example: {},
  service: {
    targets: ['https://proxy.golang.org', 'https://sum.golang.org'],
    rules: [{ allow: 'GET,HEAD /**' }],
    // Without `direct`: a module that the mirror has not is not fetched from where its name says.
    env: { GOPROXY: 'https://proxy.golang.org' },
  },
}
