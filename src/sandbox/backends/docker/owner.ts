import { spawnSync } from 'node:child_process'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { bootId } from '../../../common/boot-id.js'

/**
 * A unique name for a process: machine, process id and start time. Null if there is no such process. sandbox-run makes the
 * same names on hosts without Node.js.
 */
export function ownerName(pid: number): string | null {
  const since = startOf(pid)
  return since === null ? null : `${place()}/${String(pid)}/${since}`
}

function place(): string {
  const boot = bootId()
  return boot === null ? `${hostname()}/0` : `${boot}/${readlinkSync('/proc/self/ns/pid')}`
}

/** Start time: field 22 of /proc/PID/stat (the program's name before it may contain any character), otherwise from ps. */
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
