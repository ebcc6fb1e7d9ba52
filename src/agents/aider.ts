import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
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
  environment: ({ workdir }) => ({
    // Elsewhere its first question is whether to create one, and a sandbox may not.
    ...(isInRepository(workdir) ? {} : { AIDER_GIT: 'false' }),
    AIDER_GITIGNORE: 'false',
    // It asks whether to open a page of its documentation, and for a browser there is no place here.
    AIDER_SHOW_MODEL_WARNINGS: 'false',
    AIDER_ANALYTICS_DISABLE: 'true',
    AIDER_CHECK_UPDATE: 'false',
    AIDER_SHOW_RELEASE_NOTES: 'false',
    // Prices of models from the package, instead of from a website at each start.
    LITELLM_LOCAL_MODEL_COST_MAP: 'True',
  }),
  arguments: () => [],
  // Prices of models that it would fetch from a website; those of the package count.
  seeds: () => ({ '.aider/caches/model_prices_and_context_window.json': '{"sample_spec": {}}\n' }),
}

function isInRepository(directory: string): boolean {
  if (existsSync(join(directory, '.git'))) return true
  const above = dirname(directory)
  return above !== directory && isInRepository(above)
}
