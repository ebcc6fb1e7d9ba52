import { createHash, randomBytes } from 'node:crypto'
import { appendFileSync, lstatSync, mkdirSync, readFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { EgressError } from './errors.js'
import { realOrSame, wayTo } from './file-way.js'
import { isRunning, processName } from './process-name.js'

/*
 * Which directories sandboxes could write to, and when. Each writable directory has a file of its own in the user's state
 * directory, outside every sandbox, to which a run appends a line when it begins and another one when it ends. A file whose
 * status changed in between may be the sandbox's: the change time of an inode cannot be set back.
 */

/** Milliseconds that the change time of a file may differ from the clock of this program. */
const CLOCK_SLACK_MS = 20

interface Begin {
  readonly run: string
  readonly since: number
  /** the process of the run */
  readonly owner: string | null
  /** files and directories that the sandbox could not write as long as they are the same ones: path -> identity */
  readonly kept: KeptFiles
}

export type KeptFiles = Readonly<Record<string, string>>

interface End {
  readonly run: string
  readonly until: number
}

/** Milliseconds that a sandbox may outlive the process of its run, if that was killed. */
const KILLED_ENDS_WITHIN_MS = 10_000

/**
 * What a sandbox cannot write because of mounts. Threat: when the host renames another file over such a path or removes it, the
 * kernel takes the mount away, and the sandbox can write what is there then. So a path counts only while it leads to the same
 * inode, and a file only if that is its one name: the sandbox could write to another one.
 */
export function keptFiles(paths: readonly string[]): KeptFiles {
  return Object.fromEntries(
    paths.flatMap((path) => {
      const identity = identityOf(path)
      return identity === null ? [] : [[path, identity]]
    }),
  )
}

/** An inode number alone is given to a new file at once. */
function identityOf(path: string): string | null {
  const found = lstatSync(path, { throwIfNoEntry: false, bigint: true })
  if (found === undefined || (!found.isDirectory() && found.nlink > 1n)) return null
  return `${String(found.dev)}:${String(found.ino)}:${String(found.birthtimeNs)}`
}

/** The key that signs the audit logs of `egress run`, which are of this user alone. */
export function auditKeyDirectory(env: Readonly<Record<string, string | undefined>>): string {
  return env['EGRESS_AUDIT_KEY_DIR'] ?? join(stateDirectory(), 'audit-key')
}

/** Directory of this program's state. It is hidden from every sandbox. A user without a home gets one that ends with the machine. */
export function stateDirectory(): string {
  const usual = join(homedir(), '.local/state/egress')
  try {
    mkdirSync(usual, { recursive: true, mode: 0o700 })
    return usual
  } catch {
    const uid = process.getuid?.() ?? 0
    const other = join(tmpdir(), `egress-state-${String(uid)}`)
    mkdirSync(other, { recursive: true, mode: 0o700 })
    const { uid: owner, mode } = lstatSync(other)
    if (owner === uid && (mode & 0o077) === 0) return other
    throw new EgressError({
      code: 'EGRESS_STATE',
      problem: `${other} belongs to another user`,
      fix: 'Set HOME to a directory of your own',
    })
  }
}

/**
 * Records that a sandbox can write to directories from now on. Throws an EgressError if that cannot be recorded, because a
 * later command would trust what the sandbox has written.
 *
 * @param kept what this sandbox cannot write although it is in the directories
 * @returns records the end; call it when no process of the sandbox is left
 */
export function recordWritable(directories: readonly string[], kept: KeptFiles): () => void {
  const run = randomBytes(8).toString('hex')
  const begin: Begin = { run, since: Date.now(), owner: processName(process.pid), kept }
  const files = directories.map((directory) => journalOf(realOrSame(directory)))
  try {
    if (files.length > 0) mkdirSync(journals(), { recursive: true, mode: 0o700 })
    for (const file of files) append(file, begin)
  } catch (cause) {
    throw new EgressError({
      code: 'EGRESS_STATE',
      problem: `Cannot record in ${journals()} that the sandbox may write to ${directories.join(', ')}`,
      fix: 'Make this directory writable, or set HOME to your home directory',
      exitCode: 125,
      cause,
    })
  }
  return () => {
    for (const file of files) append(file, { run, until: Date.now() })
  }
}

/**
 * Throws an EgressError if a sandbox could have written one of the files. Threat: an agent leaves a policy whose secrets are
 * the output of its own program, and the user's next command runs that program outside every sandbox.
 */
export function refuseSandboxWritten(files: readonly string[]): void {
  for (const file of files) {
    const { links, end } = wayTo(file)
    for (const place of [...links, end]) {
      const directory = directoryWritten(place)
      if (directory === null) continue
      throw new EgressError({
        code: 'EGRESS_SANDBOX_WROTE',
        problem: `${file} was created or changed while a sandbox could write to ${directory}, so its content may be the agent's`,
        fix: `Review ${place}. If it is what you want, run: touch ${links.includes(place) ? '-h ' : ''}${place}`,
      })
    }
  }
}

/**
 * Throws an EgressError if a sandbox could have made a symbolic link on the way to a path. Threat: an agent replaces `data` by a
 * link to the home directory, and the next run with `--mount data` shows that.
 */
export function refuseSandboxLinks(path: string): void {
  for (const link of wayTo(path).links) {
    const directory = directoryWritten(link)
    if (directory === null) continue
    throw new EgressError({
      code: 'EGRESS_SANDBOX_WROTE',
      problem: `${link}, a link on the way to ${path}, was created while a sandbox could write to ${directory}, so its target may be the agent's choice`,
      fix: `Give the path without the link, or review it and run: touch -h ${link}`,
    })
  }
}

/** Whether a sandbox could have written a file: then nothing is in it that sandboxes do not know. */
export function isSandboxWritten(file: string): boolean {
  return directoryWritten(file) !== null
}

/** The directory through which a sandbox could have written a file; null if none could. */
function directoryWritten(file: string): string | null {
  const found = lstatSync(file, { throwIfNoEntry: false })
  if (found === undefined) return null
  for (let directory = dirname(file); ; directory = dirname(directory)) {
    const open = readJournal(directory).some(
      ({ since, until, kept }) =>
        found.ctimeMs >= since - CLOCK_SLACK_MS &&
        found.ctimeMs <= until + CLOCK_SLACK_MS &&
        !Object.entries(kept).some(
          ([path, identity]) =>
            (file === path || file.startsWith(`${path}/`)) && identityOf(path) === identity,
        ),
    )
    if (open) return directory
    if (directory === '/') return null
  }
}

interface WritablePeriod extends Begin {
  readonly until: number
}

function readJournal(directory: string): WritablePeriod[] {
  const file = journalOf(directory)
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    return []
  }
  const lines = text.split('\n').flatMap(parseLine)
  const ends = new Map(lines.flatMap((line) => ('until' in line ? [[line.run, line.until]] : [])))
  return lines.flatMap((line): WritablePeriod[] => {
    if ('until' in line) return []
    const until = ends.get(line.run) ?? Infinity
    // A run that was killed has ended by now, but nobody knows since when.
    if (until === Infinity && line.owner !== null && !isRunning(line.owner)) {
      append(file, { run: line.run, until: Date.now() + KILLED_ENDS_WITHIN_MS })
    }
    return [{ ...line, until }]
  })
}

function parseLine(line: string): (Begin | End)[] {
  try {
    return line === '' ? [] : [JSON.parse(line) as Begin | End]
  } catch {
    // A line that was cut off when the disk was full.
    return []
  }
}

function append(file: string, line: Begin | End): void {
  appendFileSync(file, `${JSON.stringify(line)}\n`, { mode: 0o600 })
}

const journals = () => join(stateDirectory(), 'writable')

function journalOf(directory: string): string {
  return join(journals(), createHash('sha256').update(directory).digest('hex').slice(0, 32))
}
