import type { AgentRecipe } from './recipe.js'

export const codex: AgentRecipe = {
  name: 'codex',
  title: 'Codex',
  package: { registry: 'npm', name: '@openai/codex' },
  services: [{ preset: 'openai', secret: 'OPENAI_API_KEY' }],
  quiet: [
    'chatgpt.com',
    'ab.chatgpt.com',
    '**.sentry.io',
    '**.statsigapi.net',
    'api.github.com',
    'github.com',
    'raw.githubusercontent.com',
    'registry.npmjs.org',
    'formulae.brew.sh',
  ],
  environment: () => ({}),
  arguments: ({ workdir }) =>
    Object.entries({
      // Its own provider wants a login; this one takes the key from a variable.
      model_provider: text('egress'),
      'model_providers.egress':
        '{ name = "OpenAI", base_url = "https://api.openai.com/v1", env_key = "OPENAI_API_KEY", wire_api = "responses", supports_websockets = true }',
      // Its own sandbox makes user namespaces, which a sandbox of ours has not got.
      sandbox_mode: text('danger-full-access'),
      'notice.hide_full_access_warning': 'true',
      [`projects.${text(workdir)}.trust_level`]: text('trusted'),
      check_for_update_on_startup: 'false',
      'analytics.enabled': 'false',
    }).flatMap(([key, value]) => ['-c', `${key}=${value}`]),
  seeds: () => ({}),
}

/** A basic string of TOML, whose escapes are those of JSON. */
const text = (value: string): string => JSON.stringify(value)
