import { keptFiles, recordWritable } from '../common/sandbox-writes.js'
import type { SandboxPlan } from '../sandbox/plan.js'

/**
 * Notes what the mounts of a sandbox protect. Call it before the sandbox is prepared: what is replaced after that may have lost
 * its mount.
 *
 * @returns records what the sandbox can write to, until the function that this one returns is called. Call it when the sandbox is
 * prepared and the reserved names exist, and before the command starts.
 */
export function recordWrites({ shown, hidden, readOnly, reserved }: SandboxPlan): () => () => void {
  const writable = shown.filter((tree) => tree.writable).map(({ path }) => path)
  const kept = keptFiles([...hidden, ...readOnly].map(({ path }) => path))
  return () => recordWritable(writable, { ...keptFiles(reserved.map(({ path }) => path)), ...kept })
}
