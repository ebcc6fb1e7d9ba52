import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import type { ForwardResult } from './attempt.mjs'

/** Runs a program to its end; it worked if it exits with 0. */
export function run(command: string, args: readonly string[]): ForwardResult {
  const { status, error, stderr } = spawnSync(command, args, {
    timeout: 3000,
    encoding: 'utf8',
    stdio: 'pipe',
  })
  if (error !== undefined) throw error
  const complaint = stderr.trim().split('\n').at(-1) ?? ''
  return {
    reached: status === 0,
    said: status === 0 ? 'succeeded' : complaint.slice(0, 80) || `exit ${status ?? 'by signal'}`,
  }
}

/** Whether a program is in one of the usual places. */
export function isInstalled(command: string): boolean {
  return ['/usr/bin', '/bin', '/usr/sbin', '/sbin', '/usr/local/bin'].some((dir) =>
    existsSync(`${dir}/${command}`),
  )
}
