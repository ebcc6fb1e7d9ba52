import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { HostObservation } from '../attacks/row.js'
import type { Workspace } from './workspace.js'

/** Directories of the host where a successful attack would leave a file. */
const DIRECTORIES = [
  '/',
  '/usr',
  '/usr/local/bin',
  '/etc',
  '/bin',
  '/lib',
  '/var/lib',
  '/root',
  '/home',
  '/opt',
  '/boot',
]
/** Settings of the host's kernel that an attack tries to write. */
const SETTINGS = [
  '/proc/sys/kernel/core_pattern',
  '/proc/sys/kernel/modprobe',
  '/proc/sys/net/ipv4/ip_forward',
]

/** Records the state of the host; the returned function reports the differences. */
export function watchHost(workspace: Workspace, markers: readonly string[]): () => Promise<HostObservation> {
  const before = SETTINGS.map(readOrEmpty)
  return async () => {
    const left = DIRECTORIES.flatMap((directory) =>
      markers.map((marker) => join(directory, `egress-demo-${marker}`)).filter((path) => existsSync(path)),
    )
    for (const path of left) rmSync(path, { force: true })
    const changed = SETTINGS.filter((path, index) => readOrEmpty(path) !== before[index])
    const intact = await workspace.isIntact()
    return {
      damage: [...left, ...changed, ...(intact ? [] : ['the policy or the files beside it'])],
      workFiles: await workspace.workFiles(),
    }
  }
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
