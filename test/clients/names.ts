/** `.example` is reserved (RFC 2606). The others are real names of services, which the gateway resolves to loopback. */
export const HOSTS = {
  jira: 'jira.clients.example',
  ci: 'ci.clients.example',
  release: 'release.clients.example',
  /** In no policy. */
  third: 'third.clients.example',
  /** Two allowed buckets, and one of another account. */
  reports: 'reports.s3.eu-central-1.amazonaws.com',
  backups: 'backups.s3.eu-central-1.amazonaws.com',
  otherBucket: 'attacker.s3.eu-central-1.amazonaws.com',
  teams: 'teams.clients.example',
  /** A GitHub host with write access. */
  git: 'git.clients.example',
  github: 'github.com',
  githubApi: 'api.github.com',
  openai: 'api.openai.com',
  anthropic: 'api.anthropic.com',
} as const

/** Region of the buckets. */
export const S3_REGION = 'eu-central-1'

export type Host = (typeof HOSTS)[keyof typeof HOSTS]
