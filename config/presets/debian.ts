import type { Preset } from './preset.js'

export const debian: Preset = {
  name: 'debian',
  description: 'Debian packages over http and https; apt verifies their signatures',
  example: {},
  service: {
    targets: [
      'http://deb.debian.org',
      'https://deb.debian.org',
      'http://security.debian.org',
      'https://security.debian.org',
    ],
  },
  operations: [
    { about: 'download packages', allow: ['GET,HEAD /debian/**', 'GET,HEAD /debian-security/**'] },
  ],
}
