import type { AgentRecipe } from './recipe.js'

export const gemini: AgentRecipe = {
  name: 'gemini',
  title: 'Gemini CLI',
  package: { registry: 'npm', name: '@google/gemini-cli' },
  services: [{ preset: 'gemini', secret: 'GEMINI_API_KEY' }],
  quiet: ['play.googleapis.com', 'cloudcode-pa.googleapis.com', 'api.github.com', 'registry.npmjs.org'],
  environment: () => ({
    // It warns about two names for one key.
    GOOGLE_API_KEY: null,
    GEMINI_CLI_TRUST_WORKSPACE: 'true',
    // It says so in its status line, and starts no sandbox of its own.
    SANDBOX: 'egress',
  }),
  arguments: () => [],
  seeds: () => ({
    '.gemini/settings.json': `${JSON.stringify(
      {
        security: { auth: { selectedType: 'gemini-api-key' } },
        general: { enableAutoUpdate: false, enableAutoUpdateNotification: false },
        privacy: { usageStatisticsEnabled: false },
        ui: { theme: 'Default' },
      },
      null,
      2,
    )}\n`,
  }),
}
