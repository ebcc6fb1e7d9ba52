import { existsSync, lstatSync, readFileSync } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import { realOrSame, wayTo } from '../common/file-way.js'
import { isWithin } from './paths.js'
import type { ReadOnlyPath, ReservedPath } from './plan.js'
import { fsPath, isRaw } from './raw-path.js'
import { isWritable, type ShownTrees } from './resolve-mounts.js'
import { SandboxError } from './sandbox-error.js'

/** What a sandbox must not write although it is in a writable tree. */
export interface ProtectedPaths {
  readonly readOnly: readonly ReadOnlyPath[]
  readonly reserved: readonly ReservedPath[]
}

export interface ProtectionInput {
  readonly trees: ShownTrees
  /** files that a later command would read as its policy or `.env`, whether or not they exist */
  readonly policies: readonly string[]
  /** git directories and `.git` files found in the trees */
  readonly gitPlaces: readonly string[]
  /** directory of the program itself */
  readonly install: string
}

/**
 * Everything in writable trees that a later command, git on the host, or the next start of the program trusts. Throws a
 * SandboxError for a symbolic link among them: a mount follows a link, so the sandbox could replace the link itself.
 */
export function findProtected({ trees, policies, gitPlaces, install }: ProtectionInput): ProtectedPaths {
  const found = new Collector(trees)
  for (const path of [...policyPlaces(trees), ...policies]) found.keep(path, 'file', '')
  for (const { path, kind } of trees.shown)
    if (kind === 'directory') found.reserve(join(path, '.git'), 'directory')
  for (const path of gitPlaces) protectGit(path, found)
  for (const path of installPaths(install, trees)) found.keepExisting(path)
  return found.result()
}

class Collector {
  readonly #trees: ShownTrees
  readonly #readOnly = new Map<string, ReadOnlyPath>()
  readonly #reserved = new Map<string, ReservedPath>()

  constructor(trees: ShownTrees) {
    this.#trees = trees
  }

  /** Makes an existing path read-only, and reserves its name if it does not exist and its directory does. */
  keep(path: string, kind: 'directory' | 'file', content = ''): void {
    if (!this.keepExisting(path)) this.reserve(path, kind, content)
  }

  /** Reserves a name if it does not exist and its directory does. */
  reserve(path: string, kind: 'directory' | 'file', content = ''): void {
    const { end } = wayTo(path)
    if (lstatSync(end, { throwIfNoEntry: false }) !== undefined) return
    if (isWritable(end, this.#trees) && existsSync(dirname(end)))
      this.#reserved.set(end, { path: end, kind, content })
  }

  /** Returns false if the path does not exist. */
  keepExisting(path: string): boolean {
    if (isRaw(path)) return this.#keepRaw(path)
    const { links, end } = wayTo(path)
    const link = links.find((place) => isWritable(place, this.#trees))
    if (link !== undefined) throw replaceable(path, link)
    const found = lstatSync(end, { throwIfNoEntry: false })
    if (found === undefined) return false
    // The top of a tree is a mount point anyway, and it has to stay writable.
    if (
      isWritable(end, this.#trees) &&
      !this.#trees.shown.some((tree) => tree.path === end && tree.kind === 'directory')
    )
      this.#readOnly.set(end, { path: end, kind: found.isDirectory() ? 'directory' : 'file' })
    return true
  }

  #keepRaw(path: string): boolean {
    const found = lstatSync(fsPath(path), { throwIfNoEntry: false })
    if (found === undefined || found.isSymbolicLink()) return false
    this.#readOnly.set(path, { path, kind: found.isDirectory() ? 'directory' : 'file' })
    return true
  }

  result(): ProtectedPaths {
    return { readOnly: [...this.#readOnly.values()], reserved: [...this.#reserved.values()] }
  }
}

/** Where a later command would look for a policy by itself: in every writable directory from the work directory upwards. */
function policyPlaces({ workdir, shown }: ShownTrees): string[] {
  const tops = shown.flatMap(({ path, kind }) => (kind === 'directory' ? [path] : []))
  const above: string[] = []
  for (let directory = workdir; ; directory = dirname(directory)) {
    if (tops.some((top) => isWithin(directory, top))) above.push(directory)
    if (directory === '/') break
  }
  return [...tops, ...above].map((directory) => join(directory, 'egress.yaml'))
}

/**
 * What of a repository makes git run programs: its configuration (`core.fsmonitor`, filters, aliases), its hooks, and the files
 * that say where the configuration is.
 */
function protectGit(path: string, found: Collector): void {
  if (lstatSync(fsPath(path), { throwIfNoEntry: false })?.isDirectory() !== true) {
    found.keepExisting(path)
    return
  }
  if (/\/\.git\/worktrees\/[^/]+$/.test(path)) {
    for (const name of ['commondir', 'gitdir', 'config.worktree']) found.keepExisting(join(path, name))
    return
  }
  const config = textOf(join(path, 'config'))
  found.keep(join(path, 'config'), 'file')
  found.keep(join(path, 'hooks'), 'directory')
  if (/worktreeConfig/i.test(config)) found.keep(join(path, 'config.worktree'), 'file')
  else found.keepExisting(join(path, 'config.worktree'))
  // With this file git takes the configuration of another directory; "." is the directory itself.
  found.keep(join(path, 'commondir'), 'file', '.\n')
  const [, hooks] = /^\s*hooksPath\s*=\s*"?([^"\n]+?)"?\s*$/im.exec(config) ?? []
  if (hooks !== undefined && path.endsWith('/.git'))
    found.keepExisting(isAbsolute(hooks) ? hooks : join(dirname(path), hooks))
}

/** The program's own files, if the sandbox could write to them: what `egress` and `sandbox-run` load, compile and run. */
function installPaths(install: string, trees: ShownTrees): string[] {
  if (!isWritable(install, trees)) return []
  if (!trees.shown.some(({ path }) => isWithin(path, install))) return [install]
  return PROGRAM_FILES.map((name) => join(install, name)).filter((path) => existsSync(path))
}

const PROGRAM_FILES = [
  ...['dist', 'node_modules', 'package.json', 'package-lock.json', 'tsconfig.json', '.npmrc', 'sandbox-run'],
  ...[
    'src',
    'dns',
    'proxy',
    'firewall',
    'config',
    'test',
    'bench',
    'docker',
    'docker-compose.yml',
    'kubernetes',
  ],
]

function textOf(path: string): string {
  try {
    return readFileSync(fsPath(path), 'utf8')
  } catch {
    return ''
  }
}

function replaceable(path: string, link: string): SandboxError {
  return new SandboxError(
    'EGRESS_SANDBOX_LINK',
    `The sandbox could replace ${link}, a symbolic link that decides what ${realOrSame(path)} is for later commands`,
    `Replace ${link} by the file or directory that it leads to, or do not make its directory writable`,
  )
}
