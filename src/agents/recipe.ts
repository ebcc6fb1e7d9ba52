import type { EnvironmentChanges } from '../common/environment-changes.js'

/** A run of an agent. */
export interface AgentRun {
  /** absolute path of the work directory */
  readonly workdir: string
  /** the variables of the sandbox, with placeholders for secrets */
  readonly environment: Readonly<Record<string, string>>
}

/**
 * How to run one agent: `egress run NAME`. A recipe is data that is applied to a run; it allows nothing that the policy does not.
 * To add an agent, write a file with a recipe, and add it to the list in `index.ts`.
 */
export interface AgentRecipe {
  /** As `egress run` spells it, and as its program is called. */
  readonly name: string
  /** As people call it. */
  readonly title: string
  /** The package with its program. */
  readonly package: { readonly registry: 'npm' | 'pypi'; readonly name: string }
  /** Presets, each a service of the same name, with the secret that it takes. The first is needed; the others are alternatives. */
  readonly services: readonly { readonly preset: string; readonly secret: string }[]
  /** Hosts of telemetry and update checks, which the agent does without and whose refusals are not mentioned. */
  readonly quiet: readonly string[]
  /** Variables to set, and null for those to remove. The user's own `--env` comes after them. */
  readonly environment: (run: AgentRun) => EnvironmentChanges
  /** Arguments that come before the user's. */
  readonly arguments: (run: Pick<AgentRun, 'workdir'>) => readonly string[]
  /** Files for the home directory, created where they do not exist yet: relative path -> content. No secrets: the agent reads them. */
  readonly seeds: (run: Pick<AgentRun, 'workdir'>) => Readonly<Record<string, string>>
}

/** The command that installs the program of an agent. */
export function installCommand({ package: { registry, name } }: AgentRecipe): string {
  return registry === 'npm' ? `npm install -g ${name}` : `pipx install ${name}`
}
