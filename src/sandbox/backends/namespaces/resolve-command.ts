import { realpathSync, statSync, type Stats } from 'node:fs'
import { basename, delimiter, dirname, isAbsolute, join, resolve } from 'node:path'
import { isExecutable } from './host-tools.js'
import { isWithin } from '../../paths.js'
import { SandboxError } from '../../sandbox-error.js'

export interface CommandInput {
  /** first word of the agent's argument vector */
  command: string
  workdir: string
  /** the caller's PATH */
  path: string
  /** trees that the sandbox shows */
  trees: readonly string[]
}

export interface ResolvedCommand {
  /** where it is, on the host and inside */
  file: string
  /** set if the same command is another file on the host; says how to use that file */
  warning: string | null
}

const usualPath = ['/usr/local/bin', '/usr/bin', '/bin', '/usr/local/sbin', '/usr/sbin', '/sbin']

/** The directories of the caller's PATH that the sandbox shows, otherwise the usual PATH. */
export function pathInside(path: string, trees: readonly string[]): string {
  const kept = path
    .split(delimiter)
    .filter((directory) => isAbsolute(directory) && isVisible(directory, trees))
  const entries = kept.length > 0 ? kept : usualPath
  return [...new Set(entries)].join(delimiter)
}

/** Finds the command as the sandbox will; throws with exit code 127 (not found) or 126 (not executable). */
export function resolveCommand({ command, workdir, path, trees }: CommandInput): ResolvedCommand {
  if (command === '' || command.includes('='))
    throw failure(127, `Invalid command \`${command}\``, 'Use the name or path of a program')
  const named = command.includes('/')
  const search = (directories: readonly string[]) => directories.map((directory) => join(directory, command))
  const outside = named ? [resolve(workdir, command)] : search(path.split(delimiter).filter(isAbsolute))
  const inside = named ? outside : search(pathInside(path, trees).split(delimiter))
  const found = inside.find((file) => isVisible(file, trees) && isProgram(file))
  const foundOutside = outside.find(isProgram)
  if (found !== undefined) {
    const other = foundOutside !== undefined && real(foundOutside) !== real(found) ? foundOutside : null
    const warning =
      other &&
      `${command} is ${found} in the sandbox but ${other} on the host. To use the host version, add ${mountsFor(other, trees)}`
    return { file: found, warning }
  }
  if (foundOutside !== undefined) {
    const add = mountsFor(foundOutside, trees)
    throw failure(127, `${foundOutside} exists on the host but not in the sandbox`, `Add ${add}`)
  }
  const useless = [...inside, ...outside].find((file) => lookAt(file) !== null)
  if (useless !== undefined) {
    throw failure(
      126,
      `${useless} is not an executable file`,
      `Run: chmod +x ${useless}, or put its interpreter before it`,
    )
  }
  throw failure(
    127,
    `Command \`${command}\` not found`,
    'Check the spelling, or use the full path of the program',
  )
}

/** The --mount options that make a program and the target of its links visible. */
function mountsFor(file: string, trees: readonly string[]): string {
  const directories: string[] = []
  for (const needed of [file, real(file)]) {
    if (![...trees, ...directories].some((tree) => isWithin(needed, tree)))
      directories.push(installationOf(needed))
  }
  return directories.map((directory) => `--mount ${directory}`).join(' ')
}

/** The directory that a program was installed to, which is what it needs to run. */
export function installationOf(file: string): string {
  const versioned = /^(.*\/versions\/node\/v[^/]+)\/|^(.*\/\.pyenv)\//.exec(file)
  const known = versioned?.[1] ?? versioned?.[2]
  if (known !== undefined) return known
  const directory = dirname(file)
  const parent = dirname(directory)
  // The parents of ~/bin, ~/.local/bin and /bin hold far more than one program.
  const isShared =
    basename(parent) === '.local' ||
    parent === dirname(parent) ||
    dirname(parent) === '/home' ||
    parent === '/root'
  return ['bin', 'sbin', 'shims'].includes(basename(directory)) && !isShared ? parent : directory
}

function isVisible(file: string, trees: readonly string[]): boolean {
  const target = real(file)
  // /bin may be a link to /usr/bin, so the directory counts by what it is and not by its name.
  const place = join(real(dirname(file)), basename(file))
  return [target, place].every((path) => trees.some((tree) => isWithin(path, tree)))
}

/** Whether a file is one that can be executed. */
export function isProgram(file: string): boolean {
  return (lookAt(file)?.isFile() ?? false) && isExecutable(file)
}

function lookAt(file: string): Stats | null {
  try {
    return statSync(file)
  } catch {
    return null
  }
}

function real(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}

function failure(exitCode: 126 | 127, message: string, fix: string): SandboxError {
  return new SandboxError('EGRESS_SANDBOX_COMMAND', message, fix, { exitCode })
}
