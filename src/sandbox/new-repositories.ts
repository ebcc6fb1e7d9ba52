import { existsSync, lstatSync, readdirSync, readFileSync, renameSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { joinPath, listEntries } from './masked-paths.js'
import type { SandboxPlan } from './plan.js'
import { fsPath } from './raw-path.js'

/** Entries after which the search ends. */
const MAX_ENTRIES = 400_000

const MAX_CONFIG_BYTES = 64 * 1024

/** What a repository is renamed to. */
const ASIDE = '-from-sandbox'

export interface NewRepositories {
  /** `.git` of repositories that were renamed */
  readonly setAside: string[]
  /** `.git` of those that could not be renamed */
  readonly left: string[]
  /** whether everything was searched */
  readonly complete: boolean
}

/**
 * Renames `.git` of repositories that a sandbox has made if git would run programs because of them. Call it when the sandbox has
 * ended. Threat: `git status` of the user's own repository runs git in every directory that the index calls a submodule, and
 * there it obeys that directory's configuration. The sandbox can write the index and the directory.
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
    for (const { name, type } of listEntries(directory) ?? []) {
      const path = joinPath(directory, name)
      if (++seen > MAX_ENTRIES) return { ...result, complete: false }
      if (name !== '.git') {
        if (type === 'directory') pending.push(path)
      } else if (!known.has(path) && !isHarmless(path, known))
        (rename(path) ? result.setAside : result.left).push(path)
    }
  }
  return result
}

function rename(path: string): boolean {
  let to = path + ASIDE
  for (let count = 2; lstatSync(fsPath(to), { throwIfNoEntry: false }) !== undefined; count += 1)
    to = `${path}${ASIDE}-${String(count)}`
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
  const found = lstatSync(fsPath(path), { throwIfNoEntry: false })
  if (found?.isDirectory() === true) return isHarmlessDirectory(path)
  const [, target] = /^gitdir: ([^\n]+)\n?$/.exec(found?.isFile() === true ? (textOf(path) ?? '') : '') ?? []
  if (target === undefined) return false
  const directory = resolve(dirname(path), target)
  const [, main = '', kind] = /^(.*\/\.git)\/(modules|worktrees)\/.+$/.exec(directory) ?? []
  if (!known.has(join(main, 'config'))) return false
  if (kind === 'modules') return known.has(join(directory, 'config')) || isHarmlessDirectory(directory)
  const common = textOf(join(directory, 'commondir'))
  return (
    common?.trim() === '../..' &&
    dirname(directory) === join(main, 'worktrees') &&
    isPlain(directory, 'config.worktree')
  )
}

function isHarmlessDirectory(path: string): boolean {
  if (!isPlain(path, 'commondir') || !isPlain(path, 'config.worktree') || !isPlain(path, 'modules'))
    return false
  if (!hasOnlySamples(join(path, 'hooks'))) return false
  const config = join(path, 'config')
  if (lstatSync(fsPath(config), { throwIfNoEntry: false }) === undefined) return true
  const text = textOf(config)
  return text !== null && isHarmlessConfig(text)
}

/** Whether there is no such name. */
const isPlain = (directory: string, name: string): boolean =>
  lstatSync(fsPath(join(directory, name)), { throwIfNoEntry: false }) === undefined

function hasOnlySamples(hooks: string): boolean {
  const found = lstatSync(fsPath(hooks), { throwIfNoEntry: false })
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
  const found = lstatSync(fsPath(path), { throwIfNoEntry: false })
  if (found?.isFile() !== true || found.size > MAX_CONFIG_BYTES || !existsSync(fsPath(path))) return null
  try {
    return readFileSync(fsPath(path), 'utf8')
  } catch {
    return null
  }
}
