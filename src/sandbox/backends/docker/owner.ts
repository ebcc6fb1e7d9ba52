import { spawnSync } from 'node:child_process'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/**
 * Where a process is, which, and since when: a name that no later process will have. sandbox-run makes the same names where
 * there is no Node.
 */
export function ownerName(pid: number): string | null {
  const since = startOf(pid)
  return since === null ? null : `${place()}/${String(pid)}/${since}`
}

function place(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    return `${boot}/${readlinkSync('/proc/self/ns/pid')}`
  } catch {
    return `${hostname()}/0`
  }
}

/** The 22nd field of proc(5)'s stat, counted from behind the program's name, which may hold anything; else what ps says. */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null
  } catch {
    if (process.platform === 'linux') return null
    const { status, stdout } = spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' })
    const since = stdout.trim().replace(/\s+/g, '_')
    return status === 0 && since !== '' ? since : null
  }
}
