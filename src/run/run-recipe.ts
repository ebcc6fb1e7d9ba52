import { parseHostPattern } from '#firewall/names/host-pattern.js'
import { isDiagnostic } from '#firewall/contracts/diagnostic.js'
import type { HostPattern } from '#firewall/contracts/names.js'
import { agentPolicy } from '../agents/agent-policy.js'
import type { AgentRecipe } from '../agents/recipe.js'
import type { EnvironmentChanges } from '../common/environment-changes.js'
import { EgressError } from '../common/errors.js'
import { realOrSame } from '../common/file-way.js'
import type { SandboxRequest } from '../sandbox/spec.js'

/** What a recipe makes of a request whose command is the agent's name and the user's arguments. */
export function applyRecipe(
  request: SandboxRequest,
  recipe: AgentRecipe,
  { path, mounts }: { readonly path: string; readonly mounts: readonly string[] },
): SandboxRequest {
  const run = { workdir: realOrSame(request.workdir) }
  return {
    ...request,
    command: [path, ...recipe.arguments(run), ...request.command.slice(1)],
    mounts: [...mounts.map((one) => ({ path: one, writable: false })), ...request.mounts],
    seeds: recipe.seeds(run),
  }
}

/** What the recipe and then the user change in the environment. */
export function environmentChanges(
  recipe: AgentRecipe | null,
  workdir: string,
  environment: Readonly<Record<string, string>>,
  own: EnvironmentChanges,
): EnvironmentChanges {
  return { ...recipe?.environment({ workdir: realOrSame(workdir), environment }), ...own }
}

/** Hosts whose refusals the end of a run does not mention. */
export function quietHosts(texts: readonly string[] = []): readonly HostPattern[] {
  return texts.flatMap((text) => {
    const pattern = parseHostPattern(text, true)
    return isDiagnostic(pattern) ? [] : [pattern]
  })
}

/** The policy of an agent in a directory that has none: what `egress init --agent` would write there. */
export function ownPolicy(recipe: AgentRecipe, env: Readonly<Record<string, string | undefined>>): string {
  const isSet = (name: string) => env[name] !== undefined || env[`${name}_FILE`] !== undefined
  return agentPolicy(recipe, null, isSet)
}

/** The error of such a policy, which is in no file that the user could look into. */
export function explainOwnPolicy(recipe: AgentRecipe, error: unknown): unknown {
  const [first] = recipe.services
  const message = error instanceof Error ? error.message : ''
  if (first === undefined || !message.includes(`\`${first.secret}\` is not set`)) return error
  const others = recipe.services.slice(1).map(({ secret }) => ` or ${secret}`)
  return new EgressError({
    code: 'EGRESS_AGENT_KEY',
    problem: `${recipe.title} needs ${first.secret}${others.join('')}`,
    fix: `Run: export ${first.secret}=… (the key stays outside of the sandbox), or put the line ${first.secret}=… into .env here`,
    exitCode: 125,
    cause: error,
  })
}
