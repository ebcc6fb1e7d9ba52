import { DEFAULT_NAMES, NAME_PROFILES, type NameLimits } from '#firewall/names/name-profiles.js'
import type { DnsSettings, HttpLimits } from '#firewall/contracts/policy.js'
import type { Quota } from '#firewall/ledger/quota.js'
import type { IssueList, Path } from './issue.js'
import { parseDuration, parseSize } from './quantities.js'
import type { NamesFile, PolicyFile, ServiceFile } from './schema.js'
import { quote } from './redact-message.js'

export const DEFAULT_DNS: DnsSettings = {
  nameLimits: DEFAULT_NAMES,
  // A parallel build or a browser asks some dozens at once, and a second's worth of 200 is far above what programs
  // sustain; every query is a line in the audit log, so this also bounds how fast a sandbox can fill a disk.
  rate: { perSecond: 200, burst: 400 },
  hosts: {},
}

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

/** Limits on names: those of the profile, `base` where none is named, with what the file says itself on top. */
export function readNameLimits(
  file: NamesFile | undefined,
  base: NameLimits,
  path: Path,
  issues: IssueList,
): NameLimits {
  const { features: shape, budget } = file?.profile === undefined ? base : NAME_PROFILES[file.profile]
  const window = new DurationReader(path, issues)
  return {
    features: {
      maxLength: file?.max_length ?? shape.maxLength,
      maxLabel: file?.max_label ?? shape.maxLabel,
      maxEntropy: file?.max_entropy ?? shape.maxEntropy,
      maxTotalEntropy: file?.max_total_entropy ?? shape.maxTotalEntropy,
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
    maxRequestBytes:
      readSize(file?.max_request_bytes, ['http', 'max_request_bytes'], issues) ??
      DEFAULT_HTTP.maxRequestBytes,
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

/** A window is counted in memory: it ends with the gateway. */
const QUOTA_WINDOW = { min: 1000, max: 31 * 86_400_000 }

export function readQuota(file: ServiceFile['quota'], path: Path, issues: IssueList): Quota | null {
  if (file === undefined) return null
  if (file.requests === undefined && file.bytes === undefined) {
    const fix = 'write how many `requests` or `bytes` there may be in a window, or remove `quota`'
    issues.add(path, { problem: '`quota` limits nothing', fix }, 'key')
  }
  const windowMs = new DurationReader(path, issues).read('window', file.window, QUOTA_WINDOW)
  const bytes = readSize(file.bytes, [...path, 'bytes'], issues)
  return windowMs === null ? null : { requests: file.requests ?? null, bytes, windowMs }
}

function readSize(value: number | string | undefined, path: Path, issues: IssueList): number | null {
  if (value === undefined || typeof value === 'number') return value ?? null
  const bytes = parseSize(value)
  if (bytes !== null) return bytes
  issues.add(path, {
    problem: `${quote(value)} is not a size`,
    fix: 'write a number and B, KB, MB, GB, KiB, MiB or GiB: `5GiB`',
  })
  return null
}
