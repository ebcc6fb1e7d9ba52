import { realpathSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Diagnostic } from '#firewall/contracts/diagnostic.js'
import { readTextFile, withoutLastBreak } from '../../files/text-file.js'
import type { SecretSource } from './source.js'

/** Milliseconds between two reads of a file. It is read whole, to notice changes that keep its modification time. */
const POLL_MS = 2_000

/** Milliseconds for which a new text must stay the same. Threat: half a token, while another process writes the rest. */
const SETTLE_MS = 200

/** @param path absolute */
export function fileSource(name: string, path: string): SecretSource {
  let last: string | null = null
  return {
    name,
    kind: 'file',
    needs: [],
    refreshMs: POLL_MS,
    async read({ signal }) {
      const text = readValue(path)
      if (last !== null && text !== last) {
        await sleep(SETTLE_MS, undefined, { signal }).catch(() => undefined)
        if (typeof text === 'string' && readValue(path) !== text) return last
      }
      if (typeof text === 'string') last = text
      return text
    },
    secretFiles: () => [path, ...linkTargets(path)],
    trustedFiles: () => [path],
  }
}

function readValue(path: string): string | Diagnostic {
  const fix = 'Name a readable text file that contains the value, relative to the policy file'
  // A pipe can be read only once; later reads would wait forever.
  if (statSync(path, { throwIfNoEntry: false })?.isFIFO() === true)
    return { problem: 'Expected a file, found a pipe', fix }
  const file = readTextFile(path)
  if (file === null) return { problem: 'File not found', fix }
  if ('problem' in file) return file
  return withoutLastBreak(file.text)
}

/**
 * The target of a symbolic link. Kubernetes replaces whole directories below links beside the file (`token` → `..data/token`),
 * so the directory is hidden with all that may be put into it.
 */
function linkTargets(path: string): string[] {
  try {
    const real = realpathSync(path)
    const directory = realpathSync(dirname(path))
    return dirname(real) !== directory && real.startsWith(`${directory}/`) ? [real, directory] : [real]
  } catch {
    return []
  }
}
