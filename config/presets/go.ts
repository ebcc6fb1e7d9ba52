import type { Preset } from './preset.js'

export const go: Preset = {
  name: 'go',
  description: 'Go modules, only from the module mirror and the checksum database',
  example: {},
  service: {
    targets: ['https://proxy.golang.org', 'https://sum.golang.org'],
    // Without `direct`: a module that the mirror does not have must not be fetched from the host in its name.
    env: { GOPROXY: 'https://proxy.golang.org' },
  },
  operations: [{ about: 'download modules and their checksums', allow: ['GET,HEAD /**'] }],
}
