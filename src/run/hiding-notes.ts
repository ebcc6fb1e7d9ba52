import type { HostView } from '../sandbox/plan.js'
import type { NewRepositories } from '../sandbox/new-repositories.js'
import { changedProgramFiles } from '../sandbox/program-files.js'
import { printablePath } from '../sandbox/raw-path.js'

/** Paths in a note; the others are counted. */
const MAX_LISTED = 10

/**
 * Lines for the start of a run about the files that were found by their names.
 *
 * @param own files that are hidden in any case, such as the policy
 */
export function hiddenNotes(
  { hidden, workdir }: Pick<HostView, 'hidden' | 'workdir'>,
  own: readonly string[],
): string[] {
  const found = hidden.filter(({ path }) => !own.includes(path))
  const inPart = found.filter(({ content }) => content !== undefined).map(({ path }) => path)
  const count = found.length - inPart.length
  const files = count === 1 ? '1 file or directory is' : `${String(count)} files and directories are`
  return [
    ...(count === 0 ? [] : [`${files} hidden from the sandbox (\`egress check\` lists them)`]),
    ...(inPart.length === 0 ? [] : [`Shown to the sandbox without secrets: ${list(inPart.sort(), workdir)}`]),
  ]
}

/** For the start of a run on Docker: the engine has no way to hide a file in a running container without privileges. */
export const LATE_FILES_NOTE =
  'Files to hide that appear during the run pause it until a privileged helper container has hidden them'

/** Notes for the end of a run, one line each. `since` is its start, in milliseconds since 1970. */
export function endNotes(
  { shown, workdir, home }: Pick<HostView, 'shown' | 'workdir' | 'home'>,
  hiddenLate: readonly string[],
  since: number,
  { setAside, left, complete }: NewRepositories,
): string[] {
  const changed = changedProgramFiles(shown, since, home)
  return [
    ...['.git', 'HEAD'].flatMap((name) => {
      const renamed = setAside.filter((path) => path.endsWith(`/${name}`))
      const why = 'because git would run programs that the sandbox has chosen'
      return renamed.length === 0
        ? []
        : [`Renamed to ${name}-from-sandbox, ${why}: ${list(renamed, workdir)}`]
    }),
    ...(left.length === 0
      ? []
      : [
          `Do not run git here before you have removed these, which make it run programs: ${list(left, workdir)}`,
        ]),
    ...(complete
      ? []
      : [
          'Do not run git here before you have looked for new repositories: there are too many files to search, or too deep ones',
        ]),
    ...(hiddenLate.length === 0
      ? []
      : [`Hidden during the run, when they appeared: ${list(hiddenLate, workdir)}`]),
    ...(changed.length === 0
      ? []
      : [`Review before you use them, because programs on this machine run them: ${list(changed, workdir)}`]),
  ]
}

/** The lines of `egress check` about the files of a directory. */
export function describeHidden({ hidden, workdir }: Pick<HostView, 'hidden' | 'workdir'>): string {
  const lines = hidden
    .map(({ path, kind, content }) => {
      const part = content === undefined ? '' : ' (without its secrets)'
      return `  ${near(path, workdir)}${kind === 'directory' ? '/' : ''}${part}\n`
    })
    .sort()
  return `Hidden from sandboxes in this directory:\n${lines.join('')}`
}

function list(paths: readonly string[], workdir: string): string {
  const more = paths.length - MAX_LISTED
  const named = paths.slice(0, MAX_LISTED).map((path) => near(path, workdir))
  return named.join(', ') + (more > 0 ? ` and ${String(more)} more` : '')
}

function near(path: string, workdir: string): string {
  return printablePath(path.startsWith(`${workdir}/`) ? path.slice(workdir.length + 1) : path)
}
