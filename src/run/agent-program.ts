import { realpathSync } from 'node:fs'
import { delimiter, dirname, isAbsolute, join } from 'node:path'
import { installCommand, type AgentRecipe } from '../agents/recipe.js'
import { EgressError } from '../common/errors.js'
import { isProgram, installationOf } from '../sandbox/backends/namespaces/resolve-command.js'
import { isWithin } from '../sandbox/paths.js'
import { accountHomes } from './account-homes.js'

/** The program of an agent on this host, and what a sandbox has to see for it. */
export interface AgentProgram {
  /** absolute, and visible in the sandbox */
  readonly path: string
  /** directories to show, read-only */
  readonly mounts: readonly string[]
}

/** A program by its name; null if it is not in PATH. */
export function findProgram(name: string, path: string): string | null {
  const files = path.split(delimiter).filter(isAbsolute)
  return files.map((directory) => join(directory, name)).find(isProgram) ?? null
}

/**
 * Finds an agent that may be installed anywhere, such as in the user's home directory.
 *
 * @param path the caller's PATH
 * @param visible trees that every sandbox sees
 * @throws EgressError if it is not installed
 */
export function locateAgent(recipe: AgentRecipe, path: string, visible: readonly string[]): AgentProgram {
  const found = findProgram(recipe.name, path)
  if (found === null)
    throw new EgressError({
      code: 'EGRESS_AGENT_NOT_INSTALLED',
      problem: `${recipe.title} is not installed: \`${recipe.name}\` is not in PATH`,
      fix: `Run: ${installCommand(recipe)}`,
      exitCode: 127,
    })
  const node = recipe.package.registry === 'npm' ? findProgram('node', path) : null
  const mounts: string[] = []
  const isShown = (file: string) => [...visible, ...mounts].some((tree) => isWithin(file, tree))
  for (const file of [found, ...(node === null ? [] : [node])]) {
    const real = realpathSync(file)
    if (!isShown(real)) mounts.push(placeOf(real))
  }
  return { path: isShown(found) ? found : realpathSync(found), mounts }
}

/** The directory that a program was installed to, with the packages that it needs. Never a home directory: `~/bin` has no more than itself. */
function placeOf(real: string): string {
  const installation = installationOf(real)
  const [, modules] = /^(.*?\/node_modules)\//.exec(real) ?? []
  const place = modules === undefined || isWithin(modules, installation) ? installation : modules
  return accountHomes().some((home) => isWithin(home, place)) ? dirname(real) : place
}
