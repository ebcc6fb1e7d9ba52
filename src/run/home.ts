import { createHash } from 'node:crypto'
import { chownSync, mkdirSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { EgressError } from '../common/errors.js'
import { realOrSame, wayTo } from '../common/file-way.js'
import { refuseSandboxLinks, stateDirectory } from '../common/sandbox-writes.js'
import type { UnixUser } from '../sandbox/identity.js'
import { isWithin } from '../sandbox/paths.js'
import {} from './options.js'
import { accountHomes } from './account-homes.js'
import { usage } from './usage.js'

/** The value of `--home` for a home directory of the project's own. */
export const PROJECT_HOME = 'project'

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

export interface HomeInput {
  /** the value of `--home` */
  readonly named: string
  readonly cwd: string
  /** work directory, absolute */
  readonly workdir: string
  /** the sandbox's user if it is not the caller */
  readonly user: UnixUser | null
}

/**
 * The home directory of a sandbox that stays when it ends; created if it does not exist. What sandboxes leave there is obeyed by the
 * agents of later sandboxes with the same home. So a project has its own, unless the user names one for several.
 *
 * Threat: shells, git and editors of the user obey what is in the user's home directory. So that cannot be one, nor anything that
 * contains it, the project or the state of this program.
 *
 * @returns its path, absolute
 */
export function openHome({ named, cwd, workdir, user }: HomeInput): string {
  const path = pathOf(named, cwd, workdir, user)
  const { end } = wayTo(path)
  const mine = [...accountHomes(), stateDirectory(), realOrSame(workdir)]
  const contained = mine.find((directory) => isWithin(directory, end))
  if (contained !== undefined)
    throw usage(
      contained === end
        ? `${path} cannot be the home directory of a sandbox: programs on this machine obey files in it`
        : `${path} cannot be the home directory of a sandbox: it contains ${contained}`,
      'Choose a directory that nothing else uses, or a name such as --home work',
    )
  if (isWithin(end, stateDirectory()))
    throw usage(
      `${path} cannot be the home directory of a sandbox: egress keeps its state there`,
      'Choose another directory',
    )
  // Before anything is made through it.
  refuseSandboxLinks(path)
  make(path, user)
  return path
}

function pathOf(named: string, cwd: string, workdir: string, user: UnixUser | null): string {
  if (named.includes('/') || named === '.' || named === '..') return resolve(cwd, named)
  if (!NAME.test(named))
    throw usage(
      `Invalid --home value \`${named}\``,
      'Use a name such as work, `project`, or the path of a directory',
    )
  // If root starts sandboxes, they have different users.
  const own = join(
    homedir(),
    '.local/share/egress/homes',
    ...(user === null ? [] : [`uid-${String(user.uid)}`]),
  )
  return named === PROJECT_HOME ? join(own, 'projects', projectName(realOrSame(workdir))) : join(own, named)
}

/** Two projects may have the same name. */
function projectName(workdir: string): string {
  const hash = createHash('sha256').update(workdir).digest('hex').slice(0, 12)
  return `${basename(workdir).replace(/[^A-Za-z0-9._-]/g, '_')}-${hash}`
}

function make(path: string, user: UnixUser | null): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return
  try {
    mkdirSync(resolve(path, '..'), { recursive: true, mode: 0o700 })
    mkdirSync(path, { mode: 0o700 })
    if (user !== null) chownSync(path, user.uid, user.gid)
  } catch (cause) {
    throw new EgressError({
      code: 'EGRESS_HOME',
      problem: `Cannot create the home directory ${path}`,
      fix: 'Choose another directory with --home, or --no-home for one in memory',
      exitCode: 125,
      cause,
    })
  }
}
