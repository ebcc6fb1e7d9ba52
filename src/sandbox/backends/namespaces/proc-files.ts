import { existsSync, statSync } from 'node:fs'
import type { MaskedPath } from '../../plan.js'

/** Files that container runtimes hide as well: kernel memory, symbols and timers, keyrings, hardware. */
const hidden = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/kallsyms',
  '/proc/kcore',
  '/proc/keys',
  '/proc/key-users',
  '/proc/kmsg',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
]

/** Settings of the whole machine; the agent lacks the rights to write most of them anyway. */
const readOnly = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger']

/** The files of both lists that this kernel has. */
export function findProcFiles(): { hiddenProc: MaskedPath[]; readOnlyProc: string[] } {
  return {
    hiddenProc: hidden
      .filter((path) => existsSync(path))
      .map((path) => ({ path, kind: statSync(path).isDirectory() ? 'directory' : 'file' })),
    readOnlyProc: readOnly.filter((path) => existsSync(path)),
  }
}
