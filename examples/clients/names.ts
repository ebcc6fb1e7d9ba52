/** `.example` is reserved (RFC 2606); the others are the services' own names, which the gate dials on loopback. */
export const HOSTS = {
  jira: 'jira.clients.example',
  ci: 'ci.clients.example',
  release: 'release.clients.example',
  /** In no policy. */
  third: 'third.clients.example',
  teams: 'teams.clients.example',
  /** A GitHub that may be written to. */
  git: 'git.clients.example',
  github: 'github.com',
  githubApi: 'api.github.com',
  openai: 'api.openai.com',
  anthropic: 'api.anthropic.com',
} as const

export type Host = (typeof HOSTS)[keyof typeof HOSTS]
