import { realpathSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Diagnostic } from '#firewall/names/host-pattern.js'
import { withoutLastBreak } from '../secrets.js'
import { readTextFile } from '../text-file.js'
import type { SecretSource } from './source.js'

/** Milliseconds between two looks at a file. It is read whole each time: that also sees a change that keeps its date. */
const POLL_MS = 2_000

/** Milliseconds after which a new text must still be the same. Threat: half a token, while somebody writes the rest. */
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
    hides: () => [path, ...realPlaces(path)],
    trusts: () => [path],
  }
}

function readValue(path: string): string | Diagnostic {
  const fix = 'name a readable text file that holds the value, relative to the policy file'
  // A pipe can be read once only, and would then be waited for.
  if (statSync(path, { throwIfNoEntry: false })?.isFIFO() === true) return { problem: 'this is a pipe', fix }
  const file = readTextFile(path)
  if (file === null) return { problem: 'the file does not exist', fix }
  if ('problem' in file) return file
  return withoutLastBreak(file.text)
}

/**
 * What a link stands for. Kubernetes swaps whole directories under links beside the file (`token` → `..data/token`), so
 * there the directory is hidden with whatever comes to stand in it.
 */
function realPlaces(path: string): string[] {
  try {
    const real = realpathSync(path)
    const directory = realpathSync(dirname(path))
    return dirname(real) !== directory && real.startsWith(`${directory}/`) ? [real, directory] : [real]
  } catch {
    return []
  }
}
