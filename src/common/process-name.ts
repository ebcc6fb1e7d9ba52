import { readFileSync, readlinkSync } from 'node:fs'

/** A name for a process that no other one gets: machine, process id and start time. Null if there is no such process. */
export function processName(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8')
    // Field 22; the program's name before it may contain any character.
    const since = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    return `${boot}/${readlinkSync('/proc/self/ns/pid')}/${String(pid)}/${since}`
  } catch {
    return null
  }
}

/** Whether the process still runs. One of another machine or container counts as running: its processes are not visible here. */
export function isRunning(name: string): boolean {
  const parts = name.split('/')
  const pid = Number(parts.at(-2))
  const own = processName(process.pid)?.split('/') ?? []
  if (own.length === 0 || !Number.isInteger(pid)) return true
  // After a restart of the machine nothing of it is left.
  if (parts[0] !== own[0]) return false
  return parts[1] !== own[1] || processName(pid) === name
}
