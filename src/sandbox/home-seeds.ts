/** A file that the home directory of a sandbox gets before the command starts. */
export interface HomeSeed {
  /** relative to the home directory */
  readonly path: string
  /** path inside the sandbox of the file to copy */
  readonly from: string
  /** whether it replaces a file that is there */
  readonly replace: boolean
}

/** Directory inside of the files to copy. */
const SEEDS = '/etc/egress-home'

/**
 * Copies the seeds, then becomes the command. Arguments: for each seed `new` or `replace`, its source and its path; `--`; the command.
 *
 * The sandbox does this itself, with the rights of the agent. Threat: a home directory that stays may have links in it that an earlier
 * sandbox has left, and whoever writes through them writes with rights of his own.
 */
const SCRIPT = `umask 077
while [ "$1" != -- ]; do
  to=$HOME/$3
  if [ "$1" = replace ]; then rm -f "$to"; fi
  if [ ! -e "$to" ] && [ ! -L "$to" ]; then mkdir -p "\${to%/*}" && cat "$2" >"$to"; fi
  shift 3
done
shift
exec "$@"`

/** The command with the seeds before it, and the files that it copies: path inside -> content. */
export function withSeeds(
  command: readonly string[],
  seeds: Readonly<Record<string, string>>,
  others: readonly HomeSeed[] = [],
): { readonly command: readonly string[]; readonly files: Readonly<Record<string, string>> } {
  const own = Object.entries(seeds).map(([path, content], index) => ({
    ...{ path, content, replace: false },
    from: `${SEEDS}/${String(index)}`,
  }))
  const all = [...others, ...own]
  if (all.length === 0) return { command, files: {} }
  const words = all.flatMap(({ path, from, replace }) => [replace ? 'replace' : 'new', from, path])
  return {
    command: ['/bin/sh', '-c', SCRIPT, 'sh', ...words, '--', ...command],
    files: Object.fromEntries(own.map(({ from, content }) => [from, content])),
  }
}
