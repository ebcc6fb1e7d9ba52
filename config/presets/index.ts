import { anthropic } from './anthropic.js'
import { crates } from './crates.js'
import { debian } from './debian.js'
import { gemini } from './gemini.js'
import { github } from './github.js'
import { githubReadonly } from './github-readonly.js'
import { gitlab } from './gitlab.js'
import { go } from './go.js'
import { graph } from './graph.js'
import { jenkins } from './jenkins.js'
import { jira } from './jira.js'
import { jiraCloud } from './jira-cloud.js'
import { npm } from './npm.js'
import { openai } from './openai.js'
import { pypi } from './pypi.js'
import { s3 } from './s3.js'
import { slack } from './slack.js'
import { slackWebhook } from './slack-webhook.js'
import { teams } from './teams.js'
import type { Preset } from './preset.js'

/** Every preset that a service can use. */
export const PRESETS: readonly Preset[] = [
  jira,
  jiraCloud,
  jenkins,
  s3,
  teams,
  graph,
  slack,
  slackWebhook,
  github,
  githubReadonly,
  gitlab,
  anthropic,
  openai,
  gemini,
  npm,
  pypi,
  crates,
  go,
  debian,
]
