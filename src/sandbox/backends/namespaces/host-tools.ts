import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'

/**
 * Where the launcher's own tools are looked for. Never the caller's PATH: an entry of it may be a directory that an agent
 * wrote to yesterday, and these tools run outside the sandbox.
 */
export const systemPath = ['/usr/sbin', '/usr/bin', '/sbin', '/bin', '/run/current-system/sw/bin']

/** The absolute path of a tool, null if the host has none. */
export function findTool(name: string, path: readonly string[] = systemPath): string | null {
  return path.map((directory) => join(directory, name)).find(isExecutable) ?? null
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
