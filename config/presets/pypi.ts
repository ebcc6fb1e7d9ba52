import type { Preset } from './preset.js'

export const pypi: Preset = {
  name: 'pypi',
  description: 'The Python Package Index: install; no uploads',
  example: {},
  service: {
    targets: ['https://pypi.org', 'https://files.pythonhosted.org'],
  },
  operations: [
    {
      about: 'search and download packages',
      allow: ['GET,HEAD /simple/**', 'GET,HEAD /pypi/**', 'GET,HEAD /packages/**'],
    },
  ],
}
