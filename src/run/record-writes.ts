import { recordWritable } from '../common/sandbox-writes.js'
import type { SandboxPlan } from '../sandbox/plan.js'

/** Records what the sandbox can write to, until the function that it returns is called. */
export function recordWrites({ shown, hidden, readOnly }: SandboxPlan): () => void {
  const writable = shown.filter((tree) => tree.writable).map(({ path }) => path)
  return recordWritable(
    writable,
    [...hidden, ...readOnly].map(({ path }) => path),
  )
}
