import type { AgentRecipe } from './recipe.js'

export const aider: AgentRecipe = {
  name: 'aider',
  title: 'Aider',
  package: { registry: 'pypi', name: 'aider-chat' },
  services: [
    { preset: 'anthropic', secret: 'ANTHROPIC_API_KEY' },
    { preset: 'openai', secret: 'OPENAI_API_KEY' },
  ],
  quiet: ['us.i.posthog.com', 'app.posthog.com', 'raw.githubusercontent.com', 'pypi.org'],
  environment: () => ({
    AIDER_ANALYTICS_DISABLE: 'true',
    AIDER_CHECK_UPDATE: 'false',
    AIDER_SHOW_RELEASE_NOTES: 'false',
    // Prices of models from the package, instead of from a website at each start.
    LITELLM_LOCAL_MODEL_COST_MAP: 'True',
  }),
  arguments: () => [],
  seeds: () => ({}),
}
