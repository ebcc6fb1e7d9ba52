import { readFileSync } from 'node:fs'
import { release } from 'node:os'
import { findTool } from './host-tools.js'
import { parseMountinfo, visibleMounts, type MountEntry } from './mount-table.js'

/** Facts that decide whether this host can build a sandbox. */
export interface HostFacts {
  platform: string
  architecture: string
  /** as uname -r prints it */
  kernel: string
  /** required tools that were not found */
  missingTools: readonly string[]
  /** whether perl or python3 is available to install the system call filter */
  hasInterpreter: boolean
  /** user.max_user_namespaces, null without user namespaces in the kernel */
  maxUserNamespaces: number | null
  /** kernel.unprivileged_userns_clone, null if the kernel has no such setting */
  usernsClone: number | null
  /** kernel.apparmor_restrict_unprivileged_userns, null if the kernel has no such setting */
  apparmorRestriction: number | null
  /** what is mounted over a part of /proc */
  procOvermounts: readonly string[]
}

export const requiredTools = [
  'env',
  'mkdir',
  'mount',
  'pivot_root',
  'prlimit',
  'rm',
  'rmdir',
  'setpriv',
  'setsid',
  'sh',
  'umount',
  'unshare',
]

/** Mount points that the kernel itself leaves empty, so that nothing is hidden by using them. */
const emptyByDesign = ['/proc/sys/fs/binfmt_misc', '/proc/fs/nfsd', '/proc/fs/nfs']

export function gatherHostFacts(): HostFacts {
  return {
    platform: process.platform,
    architecture: process.arch,
    kernel: release(),
    missingTools: requiredTools.filter((name) => findTool(name) === null),
    hasInterpreter: findTool('perl') !== null || findTool('python3') !== null,
    maxUserNamespaces: readNumber('/proc/sys/user/max_user_namespaces'),
    usernsClone: readNumber('/proc/sys/kernel/unprivileged_userns_clone'),
    apparmorRestriction: readNumber('/proc/sys/kernel/apparmor_restrict_unprivileged_userns'),
    procOvermounts: findProcOvermounts(parseMountinfo(readText('/proc/self/mountinfo') ?? '')),
  }
}

/** Mounts that hide a part of /proc; empty if some instance of proc is complete. */
export function findProcOvermounts(table: readonly MountEntry[]): string[] {
  const visible = visibleMounts(table)
  const instances = visible.filter(({ type, path }) => type === 'proc' && !path.slice(1).includes('proc/'))
  const over = instances.map(({ path }) =>
    visible
      .map((entry) => entry.path)
      .filter((other) => other.startsWith(path + '/') && !emptyByDesign.includes(other)),
  )
  return over.some((paths) => paths.length === 0) ? [] : (over[0] ?? [])
}

function readNumber(path: string): number | null {
  const text = readText(path)
  return text === null ? null : Number(text.trim())
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}
