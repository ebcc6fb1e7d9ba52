import { existsSync, readdirSync, readFileSync, renameSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { isGitDirectory, joinPath, listEntries } from './masked-paths.js'
import type { SandboxPlan } from './plan.js'
import { entryAt, fsPath } from './raw-path.js'

/** Entries after which the search ends. */
const MAX_ENTRIES = 400_000

const MAX_CONFIG_BYTES = 64 * 1024

/** Bytes of a path below which everything that is looked at has one that the kernel takes (PATH_MAX, 4096). */
const MAX_PATH_BYTES = 3_900

/** What a repository is renamed to. */
const ASIDE = '-from-sandbox'

export interface NewRepositories {
  /** what was renamed: `.git` of repositories, and `HEAD` of those with other names */
  readonly setAside: string[]
  /** the same of those that could not be renamed */
  readonly left: string[]
  /** whether everything was searched */
  readonly complete: boolean
}

/**
 * Renames `.git` of repositories that a sandbox has made if git would run programs because of them. Call it when the sandbox has
 * ended. Threat: `git status` of the user's own repository runs git in every directory that the index calls a submodule, and
 * there it obeys that directory's configuration. The sandbox can write the index and the directory.
 *
 * Git takes any directory with `HEAD`, `objects` and `refs` for a repository, and a prompt of the shell runs git wherever the user
 * goes. Of such a directory `HEAD` is renamed, since the rest may be a directory of the user's.
 */
export function setNewRepositoriesAside({
  shown,
  readOnly,
  hidden,
}: Pick<SandboxPlan, 'shown' | 'readOnly' | 'hidden'>): NewRepositories {
  // A configuration with a token is a hidden file.
  const known = new Set([...readOnly, ...hidden].map(({ path }) => path))
  const result = { setAside: [] as string[], left: [] as string[], complete: true }
  const pending = shown.flatMap(({ path, kind, writable }) =>
    writable && kind === 'directory' ? [path] : [],
  )
  let seen = 0
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    const entries = listEntries(directory) ?? []
    const head = joinPath(directory, 'HEAD')
    if (isGitDirectory(entries) && !isHarmlessPlace(directory, known))
      (rename(head) ? result.setAside : result.left).push(head)
    for (const { name, type } of entries) {
      const path = joinPath(directory, name)
      if (++seen > MAX_ENTRIES) return { ...result, complete: false }
      if (name !== '.git') {
        if (type !== 'directory') continue
        // A sandbox makes longer ones step by step, and so does git on the host look at them.
        if (Buffer.byteLength(path) > MAX_PATH_BYTES) result.complete = false
        else pending.push(path)
      } else if (!known.has(path) && !isHarmless(path, known))
        (rename(path) ? result.setAside : result.left).push(path)
    }
  }
  return result
}

function rename(path: string): boolean {
  let to = path + ASIDE
  for (let count = 2; entryAt(to) !== undefined; count += 1) to = `${path}${ASIDE}-${String(count)}`
  try {
    renameSync(fsPath(path), fsPath(to))
    return true
  } catch {
    return false
  }
}

/** @param known paths that the sandbox could not write: the configuration of every repository that it found */
function isHarmless(path: string, known: ReadonlySet<string>): boolean {
  if (known.has(join(path, 'config'))) return true
  const found = entryAt(path)
  if (found?.isDirectory() === true) return isHarmlessDirectory(path)
  const [, target] = /^gitdir: ([^\n]+)\n?$/.exec(found?.isFile() === true ? (textOf(path) ?? '') : '') ?? []
  if (target === undefined) return false
  const directory = resolve(dirname(path), target)
  const [, main = ''] = /^(.*\/\.git)\/modules\/.+$/.exec(directory) ?? []
  if (known.has(join(main, 'config')))
    return known.has(join(directory, 'config')) || isHarmlessDirectory(directory)
  return isPlainWorktree(directory, known)
}

/** Of a git directory with any name. A file `config` may be another program's; `commondir` is protected in a repository alone. */
function isHarmlessPlace(directory: string, known: ReadonlySet<string>): boolean {
  return (
    known.has(join(directory, 'commondir')) ||
    isHarmlessDirectory(directory) ||
    isPlainWorktree(directory, known)
  )
}

/** Whether a directory is where git keeps what it knows of a worktree, in a repository that the sandbox could not configure. */
function isPlainWorktree(directory: string, known: ReadonlySet<string>): boolean {
  const main = dirname(dirname(directory))
  return (
    known.has(join(main, 'config')) &&
    dirname(directory) === join(main, 'worktrees') &&
    textOf(join(directory, 'commondir'))?.trim() === '../..' &&
    isPlain(directory, 'config.worktree')
  )
}

function isHarmlessDirectory(path: string): boolean {
  if (!isPlain(path, 'commondir') || !isPlain(path, 'config.worktree') || !isPlain(path, 'modules'))
    return false
  if (!hasOnlySamples(join(path, 'hooks'))) return false
  const config = join(path, 'config')
  if (entryAt(config) === undefined) return true
  const text = textOf(config)
  return text !== null && isHarmlessConfig(text)
}

/** Whether there is no such name. */
const isPlain = (directory: string, name: string): boolean => entryAt(join(directory, name)) === undefined

function hasOnlySamples(hooks: string): boolean {
  const found = entryAt(hooks)
  if (found === undefined) return true
  if (!found.isDirectory()) return false
  try {
    return readdirSync(fsPath(hooks)).every((name) => name.endsWith('.sample') || name.startsWith('README'))
  } catch {
    return false
  }
}

/** Settings that make git run nothing. Whatever is not listed may, now or in a later version of git. */
const SETTINGS: Readonly<Record<string, RegExp>> = {
  core: /^(repositoryformatversion|filemode|bare|logallrefupdates|ignorecase|precomposeunicode|symlinks|autocrlf|eol|worktree)$/i,
  remote: /^(url|fetch|tagopt|prune)$/i,
  branch: /^(remote|merge|rebase|description)$/i,
  user: /^(name|email)$/i,
  submodule: /^(url|active)$/i,
  extensions: /^(objectformat)$/i,
  init: /^(defaultbranch)$/i,
  pull: /^(rebase|ff)$/i,
}

/** Whether every line of a configuration is one that makes git run nothing. */
export function isHarmlessConfig(text: string): boolean {
  let allowed: RegExp | undefined
  return text.split('\n').every((line) => {
    if (/^\s*([#;].*)?$/.test(line)) return true
    const [, section] = /^\s*\[([A-Za-z]+)(?:\s+"(?:[^"\\]|\\["\\])*")?\]\s*$/.exec(line) ?? []
    if (section !== undefined) {
      const name = section.toLowerCase()
      allowed = Object.hasOwn(SETTINGS, name) ? SETTINGS[name] : undefined
      return allowed !== undefined
    }
    const [, key, value = ''] = /^\s*([A-Za-z][A-Za-z0-9-]*)\s*=\s*(.*)$/.exec(line) ?? []
    // `ext::` and a helper of another name run a program; a value may go on in the next line.
    return key !== undefined && allowed?.test(key) === true && !/\\$|::/.test(value)
  })
}

function textOf(path: string): string | null {
  const found = entryAt(path)
  if (found?.isFile() !== true || found.size > MAX_CONFIG_BYTES || !existsSync(fsPath(path))) return null
  try {
    return readFileSync(fsPath(path), 'utf8')
  } catch {
    return null
  }
}
