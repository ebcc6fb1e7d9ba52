/** What a known agent needs of the outside, and what it asks for although it works without. */
export interface AgentNeeds {
  /** As `--agent` spells it, and as its command is called. */
  readonly name: string
  readonly title: string
  /** Presets, each a service of its own name, with the secret that it takes. */
  readonly services: readonly { readonly preset: string; readonly secret: string }[]
  /** Telemetry and update checks, which may be refused without a word. */
  readonly quiet: readonly string[]
}

/** Every agent that `egress init --agent` knows. */
export const AGENT_NEEDS: readonly AgentNeeds[] = [
  {
    name: 'claude',
    title: 'Claude Code',
    services: [{ preset: 'anthropic', secret: 'ANTHROPIC_API_KEY' }],
    quiet: [
      'statsig.anthropic.com',
      'statsig.com',
      '**.sentry.io',
      '**.datadoghq.com',
      'mcp-proxy.anthropic.com',
      'claude.ai',
      'downloads.claude.ai',
      'storage.googleapis.com',
      'registry.npmjs.org',
      'raw.githubusercontent.com',
    ],
  },
  {
    name: 'codex',
    title: 'Codex',
    services: [{ preset: 'openai', secret: 'OPENAI_API_KEY' }],
    quiet: [
      'chatgpt.com',
      'ab.chatgpt.com',
      '**.sentry.io',
      '**.statsigapi.net',
      'api.github.com',
      'github.com',
      'registry.npmjs.org',
      'formulae.brew.sh',
    ],
  },
  {
    name: 'gemini',
    title: 'Gemini CLI',
    services: [{ preset: 'gemini', secret: 'GEMINI_API_KEY' }],
    quiet: ['play.googleapis.com', 'cloudcode-pa.googleapis.com', 'api.github.com', 'registry.npmjs.org'],
  },
  {
    name: 'aider',
    title: 'Aider',
    services: [
      { preset: 'anthropic', secret: 'ANTHROPIC_API_KEY' },
      { preset: 'openai', secret: 'OPENAI_API_KEY' },
    ],
    quiet: ['us.i.posthog.com', 'app.posthog.com', 'raw.githubusercontent.com', 'pypi.org'],
  },
]
