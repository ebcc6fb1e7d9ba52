import { randomBytes } from 'node:crypto'

/** Real credentials of one run, by the name of their environment variable in the gateway. */
export interface Secrets {
  readonly JIRA_API_TOKEN: string
  readonly JENKINS_USER: string
  readonly JENKINS_API_TOKEN: string
  readonly AWS_ACCESS_KEY_ID: string
  readonly AWS_SECRET_ACCESS_KEY: string
  readonly TEAMS_WEBHOOK_PATH: string
  readonly GITHUB_TOKEN: string
  readonly OPENAI_API_KEY: string
  readonly ANTHROPIC_API_KEY: string
}

export function makeSecrets(): Secrets {
  const random = (bytes: number) => randomBytes(bytes).toString('hex')
  return {
    JIRA_API_TOKEN: random(22),
    JENKINS_USER: 'build-agent',
    JENKINS_API_TOKEN: `11${random(16)}`,
    AWS_ACCESS_KEY_ID: `AKIA${random(8).toUpperCase()}`,
    AWS_SECRET_ACCESS_KEY: random(20),
    TEAMS_WEBHOOK_PATH: `webhookb2/${random(16)}/IncomingWebhook/${random(16)}`,
    GITHUB_TOKEN: `ghp_${random(18)}`,
    OPENAI_API_KEY: `sk-proj-${random(40)}`,
    ANTHROPIC_API_KEY: `sk-ant-api03-${random(40)}`,
  }
}

/** Credentials that must not appear inside. A user name may. */
export function confidential(secrets: Secrets): readonly string[] {
  return Object.entries(secrets).flatMap(([name, value]: [string, string]) =>
    name === 'JENKINS_USER' ? [] : [value],
  )
}
