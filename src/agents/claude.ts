import type { AgentRecipe } from './recipe.js'

export const claude: AgentRecipe = {
  name: 'claude',
  title: 'Claude Code',
  package: { registry: 'npm', name: '@anthropic-ai/claude-code' },
  services: [{ preset: 'anthropic', secret: 'ANTHROPIC_API_KEY' }],
  quiet: [
    'platform.claude.com',
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
  environment: ({ environment: { ANTHROPIC_API_KEY: key } }) => ({
    // It asks about each new key in ANTHROPIC_API_KEY, and the placeholder is a new one in each run.
    ...(key === undefined ? {} : { ANTHROPIC_API_KEY: null, ANTHROPIC_AUTH_TOKEN: key }),
    // Telemetry, error reports, surveys and updates.
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL: '1',
    DISABLE_AUTOUPDATER: '1',
  }),
  arguments: () => [],
  seeds: ({ workdir }) => ({
    '.claude.json': json({
      hasCompletedOnboarding: true,
      theme: 'dark',
      projects: { [workdir]: { hasTrustDialogAccepted: true, hasCompletedProjectOnboarding: true } },
    }),
  }),
}

const json = (value: object): string => `${JSON.stringify(value, null, 2)}\n`
