import { createHash } from 'node:crypto'
import { lstatSync, mkdirSync, readFileSync, writeFileSync, type Stats } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { filterContent } from '../../filters/filter-content.js'
import { hasToken, SECRET_KEY, USER_INFO } from '../../filters/secret-text.js'
import { matchingNames } from '../../masked-names.js'

/** Files of /etc that belong to packages, and that a sandbox may see. */
export interface PackageSettings {
  /** paths of the host to copy */
  readonly copies: readonly string[]
  /** path -> what is shown of a file that has secrets */
  readonly filtered: Readonly<Record<string, string>>
}

export interface PackageSettingsInput {
  /** where the database of packages is (dpkg's `status`); without one, nothing is shown */
  readonly database?: string
  /** file that remembers which files are as their packages have them */
  readonly memory: string
}

/** Settings of daemons and of the boot, which no program of an ordinary user reads. */
const OF_THE_SYSTEM =
  /^\/etc\/(apparmor|apt|cron|dbus-1|default|depmod|dpkg|grub|init|insserv|kernel|ldap\/slapd|logcheck|logrotate|modprobe|modules|network|pam|polkit|ppp|rc[0-9S]|resolvconf|rsyslog|security|selinux|ssh\/sshd|ssl\/private|sudo|sysctl|systemd|tmpfiles|udev|ufw)/

/** Larger ones are no settings. */
const MAX_BYTES = 256 * 1024

/**
 * The settings under /etc that programs find their way by: files that a package has installed and everybody may read. Files that
 * somebody has edited since are shown if they look as if they had no secret.
 *
 * @param taken whether a path is shown already, or is replaced
 */
export function packageSettings(
  { database = '/var/lib/dpkg/status', memory }: PackageSettingsInput,
  taken: (path: string) => boolean,
): PackageSettings {
  const status = lstatSync(database, { throwIfNoEntry: false })
  if (status?.isFile() !== true) return { copies: [], filtered: {} }
  const known = readMemory(memory, stampOf(status))
  const packaged = known?.digests ?? digestsIn(readFileSync(database, 'utf8'))
  const copies: string[] = []
  const filtered: Record<string, string> = {}
  const unchanged: Record<string, string> = {}
  for (const [path, digest] of Object.entries(packaged)) {
    const found = lstatSync(path, { throwIfNoEntry: false })
    if (found?.isFile() !== true || (found.mode & 0o004) === 0 || found.size > MAX_BYTES || taken(path))
      continue
    const stamp = stampOf(found)
    if (known?.unchanged[path] === stamp || isAsPackaged(path, digest)) unchanged[path] = stamp
    else {
      const shown = editedContent(path)
      if (shown === null) continue
      if (shown !== undefined) {
        filtered[path] = shown
        continue
      }
    }
    copies.push(path)
  }
  writeMemory(memory, { database: stampOf(status), digests: packaged, unchanged }, known)
  return { copies, filtered }
}

/** The files under /etc that dpkg asks about before it replaces them, with their digests. */
function digestsIn(status: string): Record<string, string> {
  const found = [...status.matchAll(/^ (\/etc\/\S+) ([0-9a-f]{32})$/gm)]
  return Object.fromEntries(
    found.flatMap(([, path = '', digest = '']) =>
      OF_THE_SYSTEM.test(path) ? [] : [[path, digest] as const],
    ),
  )
}

function isAsPackaged(path: string, digest: string): boolean {
  try {
    return createHash('md5').update(readFileSync(path)).digest('hex') === digest
  } catch {
    return false
  }
}

/** Undefined if an edited file may be shown as it is, null if it may not be shown at all, otherwise the part that may. */
function editedContent(path: string): string | null | undefined {
  try {
    const text = readFileSync(path, 'utf8')
    for (const { content } of matchingNames(dirname(path), basename(path), false)) {
      if (content === undefined) return null
      const shown = filterContent(content, text)
      if (shown !== null) return shown
    }
    return mayHaveSecret(text) ? null : undefined
  } catch {
    return null
  }
}

function mayHaveSecret(text: string): boolean {
  const lines = text.split('\n').filter((line) => !/^\s*([#;!]|\/\/|$)/.test(line))
  return lines.some((line) => SECRET_KEY.test(line) || line.search(USER_INFO) >= 0 || hasToken(line))
}

interface Memory {
  /** of the database of packages */
  readonly database: string
  readonly digests: Readonly<Record<string, string>>
  /** path -> its stamp when it was as its package has it */
  readonly unchanged: Readonly<Record<string, string>>
}

const stampOf = ({ size, mtimeMs, ctimeMs, ino }: Stats): string => [size, mtimeMs, ctimeMs, ino].join(' ')

function readMemory(file: string, database: string): Memory | null {
  try {
    const read = JSON.parse(readFileSync(file, 'utf8')) as Memory
    return read.database === database ? read : null
  } catch {
    return null
  }
}

/** Without it, the next run takes longer. */
function writeMemory(file: string, memory: Memory, known: Memory | null): void {
  if (known !== null && JSON.stringify(known.unchanged) === JSON.stringify(memory.unchanged)) return
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    writeFileSync(file, JSON.stringify(memory), { mode: 0o600 })
  } catch {
    // Read-only, or full.
  }
}

export const memoryIn = (directory: string): string => join(directory, 'package-settings.json')
