import { usage } from '../common/errors.js'
import type { SandboxLimits } from './spec.js'

const GIB = 2 ** 30

/** Enough for a build and a browser; low enough that a fork bomb or a memory leak does not take the host down. */
const DEFAULT_LIMITS: SandboxLimits = {
  processes: 512,
  memoryBytes: 4 * GIB,
  tmpBytes: 2 * GIB,
  openFiles: 4096,
  processors: null,
}

/** Docker's minimum, in bytes. */
const MIN_MEMORY = 6 * 2 ** 20

const FIELDS: Readonly<Record<string, Exclude<keyof SandboxLimits, 'processors'>>> = {
  processes: 'processes',
  memory: 'memoryBytes',
  tmp: 'tmpBytes',
  files: 'openFiles',
}

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: GIB }

/** Applies `memory=2g`, `processes=100`, `cpus=1.5` and so on to the defaults. */
export function parseLimits(texts: readonly string[]): SandboxLimits {
  const limits = { ...DEFAULT_LIMITS }
  for (const text of texts) {
    const [, processors] = /^cpus=(\d{1,4}(?:\.\d{1,2})?)$/i.exec(text) ?? []
    if (Number(processors) > 0) {
      limits.processors = Number(processors)
      continue
    }
    const [, name = '', digits = '', unit = ''] = /^([a-z]+)=(\d{1,12})([kmg]?)$/i.exec(text) ?? []
    const field = Object.hasOwn(FIELDS, name.toLowerCase()) ? FIELDS[name.toLowerCase()] : undefined
    const value = Number(digits) * (UNITS[unit.toLowerCase()] ?? 1)
    if (field === undefined || value < 1 || !Number.isSafeInteger(value)) {
      throw usage(
        `Invalid --limit value \`${text}\``,
        `Use one of ${[...Object.keys(FIELDS), 'cpus'].join(', ')} with a number, such as memory=2g or processes=100`,
        125,
      )
    }
    if (field === 'memoryBytes' && value < MIN_MEMORY)
      throw usage(`--limit \`${text}\` is too low to run any command`, 'Use at least memory=6m', 125)
    limits[field] = value
  }
  return limits
}
