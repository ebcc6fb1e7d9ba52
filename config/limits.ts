import { DEFAULT_BUDGET } from '#firewall/leak-budget.js'
import { DEFAULT_SHAPE } from '#firewall/name-shape.js'
import type { DnsLimits, HttpLimits } from '#firewall/policy.js'
import type { IssueList, Path } from './issue.js'
import { parseDuration, parseSize } from './quantities.js'
import type { PolicyFile } from './schema.js'
import { quote } from './scrub.js'

export const DEFAULT_DNS: DnsLimits = { shape: DEFAULT_SHAPE, budget: DEFAULT_BUDGET }

export const DEFAULT_HTTP: HttpLimits = {
  // The largest object that one PUT to S3 takes.
  maxRequestBytes: 5 * 1024 ** 3,
  responseTimeoutMs: 60_000,
  // Model providers stream with pauses of minutes.
  idleTimeoutMs: 300_000,
  connectTimeoutMs: 10_000,
}

/** A window that is shorter refills at once; one that is longer than a day outlives the daily budget. */
const WINDOW = { min: 1000, max: 86_400_000 }

/** `setTimeout` fires at once above 2^31 - 1 ms; a day is more than any request needs. */
const TIMEOUT = { min: 1, max: 86_400_000 }

export function readDnsLimits(file: PolicyFile['dns'], issues: IssueList): DnsLimits {
  const { shape, budget } = DEFAULT_DNS
  const window = new DurationReader(['dns'], issues)
  return {
    shape: {
      maxLength: file?.max_length ?? shape.maxLength,
      maxLabel: file?.max_label ?? shape.maxLabel,
      maxEntropy: file?.max_entropy ?? shape.maxEntropy,
      minEntropyLength: shape.minEntropyLength,
    },
    budget: {
      names: file?.names_per_window ?? budget.names,
      bytes: file?.bytes_per_window ?? budget.bytes,
      windowMs: window.read('window', file?.window, WINDOW) ?? budget.windowMs,
      bytesPerDay: file?.bytes_per_day ?? budget.bytesPerDay,
    },
  }
}

export function readHttpLimits(file: PolicyFile['http'], issues: IssueList): HttpLimits {
  const timeout = new DurationReader(['http'], issues)
  return {
    maxRequestBytes: readSize(file?.max_request_bytes, issues) ?? DEFAULT_HTTP.maxRequestBytes,
    responseTimeoutMs:
      timeout.read('response_timeout', file?.response_timeout, TIMEOUT) ?? DEFAULT_HTTP.responseTimeoutMs,
    idleTimeoutMs: timeout.read('idle_timeout', file?.idle_timeout, TIMEOUT) ?? DEFAULT_HTTP.idleTimeoutMs,
    connectTimeoutMs:
      timeout.read('connect_timeout', file?.connect_timeout, TIMEOUT) ?? DEFAULT_HTTP.connectTimeoutMs,
  }
}

class DurationReader {
  readonly #path: Path
  readonly #issues: IssueList

  constructor(path: Path, issues: IssueList) {
    this.#path = path
    this.#issues = issues
  }

  /** Milliseconds; null when the key is absent or at fault. */
  read(key: string, text: string | undefined, { min, max }: typeof WINDOW): number | null {
    if (text === undefined) return null
    const milliseconds = parseDuration(text)
    if (milliseconds !== null && milliseconds >= min && milliseconds <= max) return milliseconds
    const problem =
      milliseconds === null
        ? `${quote(text)} is not a duration`
        : `${quote(text)} is too ${milliseconds < min ? 'short' : 'long'}`
    this.#issues.add([...this.#path, key], {
      problem,
      fix: `write a number and ms, s, m or h: \`${key}: 60s\`, from ${min} ms to ${max / 3_600_000}h`,
    })
    return null
  }
}

function readSize(value: number | string | undefined, issues: IssueList): number | null {
  if (value === undefined || typeof value === 'number') return value ?? null
  const bytes = parseSize(value)
  if (bytes !== null) return bytes
  issues.add(['http', 'max_request_bytes'], {
    problem: `${quote(value)} is not a size`,
    fix: 'write a number and B, KB, MB, GB, KiB, MiB or GiB: `max_request_bytes: 5GiB`',
  })
  return null
}
