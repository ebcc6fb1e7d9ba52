import { existsSync, lstatSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { realOrSame, wayTo } from '../common/file-way.js'
import { listEntries } from './masked-paths.js'
import { isWithin } from './paths.js'
import type { ReadOnlyPath, ReservedPath } from './plan.js'
import { entryAt, fsPath, isRaw } from './raw-path.js'
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
    if (kind === 'directory' && path !== trees.home && !path.endsWith('/.git'))
      found.reserve(join(path, '.git'), 'directory')
  for (const path of gitPlaces) protectGit(path, found)
  for (const path of userConfigs()) protectConfig(path, found)
  protectInstall(install, found)
  return found.result()
}

class Collector {
  readonly #trees: ShownTrees
  readonly #readOnly = new Map<string, ReadOnlyPath>()
  readonly #reserved = new Map<string, ReservedPath>()

  constructor(trees: ShownTrees) {
    this.#trees = trees
  }

  isWritable(path: string): boolean {
    return isWritable(path, this.#trees)
  }

  /** Whether a path is a tree, or contains one. */
  isAbove(path: string): boolean {
    return this.#trees.shown.some((tree) => isWithin(tree.path, path))
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

  /** Makes a directory read-only; if it does not exist, reserves it with the directories above it. */
  keepWithParents(path: string): void {
    if (this.keepExisting(path)) return
    const missing: string[] = []
    for (let at = path; !existsSync(at); at = dirname(at)) missing.unshift(at)
    // One that is reserved cannot get entries.
    const [first] = missing
    if (first !== undefined) this.reserve(first, 'directory')
  }

  /** Makes what a read-only link leads to read-only. */
  keepTarget(real: string): void {
    const found = lstatSync(real, { throwIfNoEntry: false })
    if (
      found !== undefined &&
      isWritable(real, this.#trees) &&
      !this.#trees.shown.some(({ path }) => path === real)
    )
      this.#readOnly.set(real, { path: real, kind: found.isDirectory() ? 'directory' : 'file' })
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
    const [, target = ''] = /^gitdir: (.+)/.exec(textOf(path)) ?? []
    const directory = resolve(dirname(path), target)
    const main = resolve(directory, textOf(join(directory, 'commondir')).trim() || '.')
    if (target !== '') protectHooks(textOf(join(main, 'config')), dirname(path), found)
    return
  }
  if (/\/\.git\/worktrees\/[^/]+$/.test(path)) {
    for (const name of ['commondir', 'gitdir', 'config.worktree']) found.keepExisting(join(path, name))
    return
  }
  const config = textOf(join(path, 'config'))
  found.keep(join(path, 'config'), 'file')
  found.keep(join(path, 'hooks'), 'directory')
  for (const target of linkTargets(join(path, 'hooks'))) found.keepTarget(target)
  if (/worktreeConfig/i.test(config)) found.keep(join(path, 'config.worktree'), 'file')
  else found.keepExisting(join(path, 'config.worktree'))
  // With this file git takes the configuration of another directory; "." is the directory itself.
  found.keep(join(path, 'commondir'), 'file', '.\n')
  protectHooks(config, path.endsWith('/.git') ? dirname(path) : path, found)
  protectIncludes(config, path, found)
}

/** The files that a configuration includes, which git obeys as it does the configuration itself. */
function protectIncludes(config: string, directory: string, found: Collector): void {
  for (const [, value = ''] of config.matchAll(/^\s*path\s*=\s*"?([^"\n]+?)"?\s*$/gim))
    found.keep(fromHome(value, directory), 'file')
}

/** A configuration of the user's own. Threat: it is often a link to a directory of settings, in which an agent works. */
function protectConfig(path: string, found: Collector): void {
  if (entryAt(path) === undefined) return
  found.keepExisting(path)
  protectIncludes(textOf(path), dirname(realOrSame(path)), found)
}

/** A path as git reads it from a configuration. */
const fromHome = (value: string, directory: string): string =>
  value.startsWith('~/') ? join(homedir(), value.slice(2)) : resolve(directory, value)

/** @param place where git takes a relative path from: the top of the work tree, or the bare repository */
function protectHooks(config: string, place: string, found: Collector): void {
  const all = [
    ...`${userConfigs().map(textOf).join('\n')}\n${config}`.matchAll(
      /^\s*hooksPath\s*=\s*"?([^"\n]+?)"?\s*$/gim,
    ),
  ]
  for (const [, value = ''] of all) {
    const hooks = fromHome(value, place)
    found.keepWithParents(hooks)
    for (const target of linkTargets(hooks)) found.keepTarget(target)
  }
}

/** The user's own settings of git, which may say that every repository has its hooks in a directory that is not `.git`. */
function userConfigs(): string[] {
  const home = process.env['XDG_CONFIG_HOME'] ?? join(homedir(), '.config')
  return ['/etc/gitconfig', join(home, 'git/config'), join(homedir(), '.gitconfig')]
}

/** Where the links in a directory lead. */
function linkTargets(directory: string): string[] {
  return (listEntries(directory) ?? [])
    .filter(({ type }) => type === 'link')
    .map(({ name }) => realOrSame(join(directory, name)))
}

/**
 * The program's own files, if the sandbox could write to them: what `egress`, `sandbox-run` and `docker compose up` load, compile,
 * build and run.
 */
function protectInstall(install: string, found: Collector): void {
  if (!found.isWritable(install)) return
  if (!found.isAbove(install)) found.keepExisting(install)
  else {
    for (const name of PROGRAM_FILES) found.keepExisting(join(install, name))
    for (const kind of ['file', 'directory'] as const)
      for (const name of NEW_PROGRAM_FILES[kind]) found.reserve(join(install, name), kind)
  }
  // Packages that a project has installed beside this one, and the link that starts it.
  const packages = /^.*?\/node_modules(?=\/)/.exec(install)?.[0]
  if (packages !== undefined && found.isWritable(packages)) found.keepExisting(packages)
}

const COMPOSE_FILES = ['docker-compose', 'compose', 'docker-compose.override', 'compose.override'].flatMap(
  (name) => [`${name}.yml`, `${name}.yaml`],
)

const PROGRAM_FILES = [
  ...['dist', 'node_modules', 'package.json', 'package-lock.json', 'npm-shrinkwrap.json', 'tsconfig.json'],
  ...['.npmrc', '.dockerignore', 'sandbox-run', 'src', 'dns', 'proxy', 'firewall', 'config', 'test', 'bench'],
  ...['docker', 'kubernetes', ...COMPOSE_FILES],
]

/**
 * Those that would be obeyed if the sandbox created them. Threat: Compose prefers `compose.yaml` and merges an override, npm prefers
 * a shrinkwrap. A file `tsconfig.json` would make an installed package a checkout, so a directory has that name.
 */
const NEW_PROGRAM_FILES = {
  file: ['package-lock.json', 'npm-shrinkwrap.json', '.npmrc', '.dockerignore', ...COMPOSE_FILES],
  directory: ['dist', 'node_modules', 'tsconfig.json'],
}

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
