import { join } from 'node:path'
import { isPackage, joinPath, listEntries } from './masked-paths.js'
import type { ShownTree } from './plan.js'
import { entryAt } from './raw-path.js'

/** Milliseconds that the change time of a file may be before the clock of this program. */
const CLOCK_SLACK_MS = 20

/** Entries after which the search ends: the list is a help, and not worth a long wait. */
const MAX_ENTRIES = 200_000

/** Files that programs on the host run or obey without being asked: editors, package managers, build tools, CI, git. */
const NAMES =
  /^(package\.json|\.pnpmfile\.cjs|\.yarnrc(\.yml)?|\.npmrc|(gnu)?makefile|.*\.mk|justfile|taskfile\.ya?ml|rakefile|gemfile|\.envrc|\.tool-versions|\.?mise\.toml|\.pre-commit-config\.yaml|lefthook\.ya?ml|\.huskyrc.*|\.lintstagedrc.*|\.gitlab-ci\.yml|\.gitmodules|\.gitattributes|.*\.code-workspace|devcontainer\.json|(docker-)?compose.*\.ya?ml|dockerfile|setup\.py|conftest\.py|noxfile\.py|tox\.ini|build\.rs|build\.gradle(\.kts)?|settings\.gradle(\.kts)?|gradlew|mvnw|pom\.xml|cmakelists\.txt|\.mcp\.json|.*\.(pth|desktop)|sandbox-run|\.?(bash|zsh|pro)[a-z_]*(rc|file|login))$/i

/** What `git rebase --continue` does next, which may be to run programs. */
const GIT_TODO = ['rebase-merge/git-rebase-todo']

const DIRECTORIES =
  /\/(\.vscode|\.idea|\.devcontainer|\.husky|\.githooks|\.claude|\.cursor|\.github\/(workflows|actions)|\.circleci)(\/|$)/i

/**
 * Files in writable trees that changed since a time and that programs on the host run, and repositories that are new. Never
 * complete: any source file may be run by somebody. Not in a home directory of sandboxes, where no program of the host looks.
 */
export function changedProgramFiles(
  trees: readonly ShownTree[],
  since: number,
  home: string | null = null,
): string[] {
  const found: string[] = []
  const pending = trees.flatMap(({ path, kind, writable }) =>
    writable && kind === 'directory' && path !== home ? [path] : [],
  )
  const tops = new Set(pending)
  let seen = 0
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    const inGit = /\/\.git(\/|$)/.test(directory)
    const entries = inGit ? [] : (listEntries(directory) ?? [])
    for (const { name, type } of entries) {
      const path = joinPath(directory, name)
      if (++seen > MAX_ENTRIES) return found
      if (name === '.git') {
        if (!tops.has(directory) && isNewer(path, since, true)) found.push(path)
        for (const todo of GIT_TODO) if (isNewer(join(path, todo), since, false)) found.push(join(path, todo))
      } else if (type === 'directory') {
        if (!tops.has(path) && !isPackage(directory, name)) pending.push(path)
      } else if ((NAMES.test(name) || DIRECTORIES.test(directory)) && isNewer(path, since, false))
        found.push(path)
    }
  }
  return [...new Set(found)].sort()
}

function isNewer(path: string, since: number, created: boolean): boolean {
  const found = entryAt(path)
  return found !== undefined && (created ? found.birthtimeMs : found.ctimeMs) >= since - CLOCK_SLACK_MS
}
