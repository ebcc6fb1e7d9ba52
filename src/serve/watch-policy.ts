import { realpathSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DOTENV_FILES } from '#config/secrets/dotenv.js'

/** Milliseconds between two looks. The kubelet itself takes up to a minute to bring a changed ConfigMap. */
const POLL_MS = 2_000

/**
 * Calls `changed` when the policy or the variables beside it are others. Polls: a mounted ConfigMap is replaced by renaming a
 * directory that its files are links into, which watching a file does not tell.
 *
 * @returns stops it
 */
export function watchPolicy(policy: string, changed: () => void, pollMs = POLL_MS): () => void {
  const files = [policy, ...DOTENV_FILES.map((name) => join(dirname(policy), name))]
  let known = stateOf(files)
  const timer = setInterval(() => {
    const now = stateOf(files)
    if (now === known) return
    known = now
    changed()
  }, pollMs)
  return () => clearInterval(timer)
}

function stateOf(files: readonly string[]): string {
  return files
    .map((file) => {
      try {
        const path = realpathSync(file)
        const { ino, mtimeMs, size } = statSync(path)
        return `${path} ${String(ino)} ${String(mtimeMs)} ${String(size)}`
      } catch {
        return ''
      }
    })
    .join('\n')
}
