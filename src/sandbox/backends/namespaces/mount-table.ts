import { isWithin } from '../../paths.js'

/** One line of /proc/self/mountinfo (proc(5)). */
export interface MountEntry {
  id: number
  parent: number
  /** mount point as this process sees it */
  path: string
  /** per-mount options */
  options: readonly string[]
  /** file system type */
  type: string
}

/** Parses /proc/self/mountinfo. Ignores lines in another format. */
export function parseMountinfo(text: string): MountEntry[] {
  const entries: MountEntry[] = []
  for (const line of text.split('\n')) {
    const [id, parent, , , path, options] = line.split(' ')
    if (path === undefined || options === undefined) continue
    entries.push({
      id: Number(id),
      parent: Number(parent),
      path: unescapeOctal(path),
      options: options.split(','),
      type: / - (\S+)/.exec(line)?.[1] ?? '',
    })
  }
  return entries
}

function unescapeOctal(field: string): string {
  if (!field.includes('\\')) return field
  const bytes = Buffer.from(field, 'utf8').toString('latin1')
  const plain = bytes.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  )
  return Buffer.from(plain, 'latin1').toString('utf8')
}

/** The mounts that a path lookup can reach: not covered by another mount, and not below a directory that is covered. */
export function visibleMounts(table: readonly MountEntry[]): MountEntry[] {
  const byId = new Map(table.map((entry) => [entry.id, entry]))
  const byParent = new Map<number, MountEntry[]>()
  for (const entry of table) {
    const siblings = byParent.get(entry.parent)
    if (siblings) siblings.push(entry)
    else byParent.set(entry.parent, [entry])
  }
  const reachable = new Map<number, boolean>()
  const isReachable = (entry: MountEntry): boolean => {
    const known = reachable.get(entry.id)
    if (known !== undefined) return known
    reachable.set(entry.id, true)
    const siblings = byParent.get(entry.parent) ?? []
    const parent = byId.get(entry.parent)
    const answer =
      !siblings.some((other) => other.path !== entry.path && isWithin(entry.path, other.path)) &&
      (parent === undefined || parent === entry || isReachable(parent))
    reachable.set(entry.id, answer)
    return answer
  }
  const isCovered = (entry: MountEntry) =>
    (byParent.get(entry.id) ?? []).some((other) => other !== entry && other.path === entry.path)
  return table.filter((entry) => isReachable(entry) && !isCovered(entry))
}

/** The mounts strictly beneath `tree`, outermost first. */
export function mountsBeneath(visible: readonly MountEntry[], tree: string): MountEntry[] {
  return visible
    .filter((entry) => entry.path !== tree && isWithin(entry.path, tree))
    .sort((a, b) => a.path.length - b.path.length)
}

/** The mount that contains `path`. */
export function mountOf(visible: readonly MountEntry[], path: string): MountEntry | undefined {
  return visible
    .filter((entry) => isWithin(path, entry.path))
    .reduce<MountEntry | undefined>(
      (best, entry) => (best && best.path.length > entry.path.length ? best : entry),
      undefined,
    )
}

/**
 * Options for a bind of a path on `source`. In a new user namespace, the options ro, nosuid, nodev and noexec are locked
 * (mount_namespaces(7)): a remount without one of them fails with EPERM. The kernel keeps the atime option by itself.
 */
export function bindOptions(source: MountEntry | undefined, writable: boolean): string[] {
  const locked = new Set(source?.options ?? [])
  const options = ['nosuid', 'nodev']
  if (locked.has('noexec')) options.push('noexec')
  options.push(writable && !locked.has('ro') ? 'rw' : 'ro')
  return options
}
