import type { Preset } from './preset.js'

export const pypi: Preset = {
  name: 'pypi',
  description: 'The Python Package Index: install; no uploads',
  example: {},
  service: {
    targets: ['https://pypi.org', 'https://files.pythonhosted.org'],
    rules: [
      { allow: 'GET,HEAD /simple/**' },
      { allow: 'GET,HEAD /pypi/**' },
      { allow: 'GET,HEAD /packages/**' },
    ],
  },
}
