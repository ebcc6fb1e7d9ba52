/** `.example` is reserved (RFC 2606); the others are the services' own names, which the gateway dials on loopback. */
export const HOSTS = {
  jira: 'jira.clients.example',
  ci: 'ci.clients.example',
  release: 'release.clients.example',
  /** In no policy. */
  third: 'third.clients.example',
  /** Two buckets that may be used, and one of somebody else. */
  reports: 'reports.s3.eu-central-1.amazonaws.com',
  backups: 'backups.s3.eu-central-1.amazonaws.com',
  otherBucket: 'attacker.s3.eu-central-1.amazonaws.com',
  teams: 'teams.clients.example',
  /** A GitHub that may be written to. */
  git: 'git.clients.example',
  github: 'github.com',
  githubApi: 'api.github.com',
  openai: 'api.openai.com',
  anthropic: 'api.anthropic.com',
} as const

/** What the buckets are signed for. */
export const S3_REGION = 'eu-central-1'

export type Host = (typeof HOSTS)[keyof typeof HOSTS]
