import { DEFAULT_NAMES, NAME_PROFILES } from '#firewall/names/name-profiles.js'
import type { NameLimits } from '#firewall/contracts/names.js'
import type { DnsSettings, HttpLimits } from '#firewall/contracts/policy.js'
import type { Quota, SandboxLimits } from '#firewall/contracts/limits.js'
import type { IssueList, Path } from '../issues/issue.js'
import { parseDuration, parseSize } from './quantities.js'
import type { NameLimitsFile, PolicyFile, ServiceFile } from '../schema/policy.js'
import { quote } from '../issues/quote.js'

export const DEFAULT_DNS: DnsSettings = {
  nameLimits: DEFAULT_NAMES,
  // A parallel build or a browser sends some dozens of queries at once; 200 per second is far above what programs sustain.
  // Every query is a line in the audit log, so this also limits how fast a sandbox can fill a disk.
  rate: { perSecond: 200, burst: 400 },
  hosts: {},
}

export const DEFAULT_HTTP: HttpLimits = {
  // The largest object that one PUT to S3 accepts.
  maxRequestBytes: 5 * 1024 ** 3,
  // Models think for ten minutes and more before they begin to answer, or in the middle of a stream.
  responseTimeoutMs: 900_000,
  idleTimeoutMs: 900_000,
  connectTimeoutMs: 10_000,
}

const MIB = 1024 ** 2

/**
 * A gateway on Docker has 1 GiB, and Node.js takes a quarter of that for itself. A build or a browser opens some dozens of
 * connections; an agent that has a thousand open does not work but attack.
 */
export const DEFAULT_LIMITS: SandboxLimits = {
  connections: { own: 1_024, all: 4_096 },
  requests: { own: 256, all: 2_048 },
  memory: { own: 64 * MIB, all: 256 * MIB },
  certificates: { perSecond: 2, burst: 120 },
}

/** A shorter window refills immediately; a window of more than a day outlives the daily budget. */
const WINDOW = { min: 1000, max: 86_400_000 }

/** Above 2^31 - 1 ms `setTimeout` fires immediately; a day is more than any request needs. */
const TIMEOUT = { min: 1, max: 86_400_000 }

/** Limits on names: those of the profile (default: `base`), overridden by the single keys. */
export function readNameLimits(
  file: NameLimitsFile | undefined,
  base: NameLimits,
  path: Path,
  issues: IssueList,
): NameLimits {
  const { features, budget } = file?.profile === undefined ? base : NAME_PROFILES[file.profile]
  const window = new DurationReader(path, issues)
  return {
    features: {
      maxLength: file?.max_length ?? features.maxLength,
      maxLabel: file?.max_label ?? features.maxLabel,
      maxEntropy: file?.max_entropy ?? features.maxEntropy,
      maxTotalEntropy: file?.max_total_entropy ?? features.maxTotalEntropy,
      minEntropyLength: features.minEntropyLength,
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

/** The part of `settings.limits` that is absent is as by default. */
export function readSandboxLimits(
  file: NonNullable<PolicyFile['settings']>['limits'],
  issues: IssueList,
): SandboxLimits {
  const memory = (key: 'memory' | 'total_memory') =>
    readSize(file?.[key], ['settings', 'limits', key], issues)
  const { connections, requests, memory: bytes, certificates } = DEFAULT_LIMITS
  return {
    connections: {
      own: file?.connections ?? connections.own,
      all: file?.total_connections ?? connections.all,
    },
    requests: { own: file?.requests ?? requests.own, all: file?.total_requests ?? requests.all },
    memory: { own: memory('memory') ?? bytes.own, all: memory('total_memory') ?? bytes.all },
    certificates:
      file?.certificates === undefined
        ? certificates
        : { perSecond: file.certificates.per_second, burst: file.certificates.burst },
  }
}

/** Reads the durations of one section. `path` is that of the section. */
export class DurationReader {
  readonly #path: Path
  readonly #issues: IssueList

  constructor(path: Path, issues: IssueList) {
    this.#path = path
    this.#issues = issues
  }

  /** Milliseconds; null if the key is absent or invalid. */
  read(key: string, text: string | undefined, { min, max }: typeof WINDOW): number | null {
    if (text === undefined) return null
    const milliseconds = parseDuration(text)
    if (milliseconds !== null && milliseconds >= min && milliseconds <= max) return milliseconds
    const problem =
      milliseconds === null
        ? `Invalid duration ${quote(text)} for \`${key}\``
        : `${quote(text)} is too ${milliseconds < min ? 'short' : 'long'} for \`${key}\``
    this.#issues.add([...this.#path, key], {
      problem,
      fix: `Write a number and ms, s, m or h, from ${min}ms to ${max / 3_600_000}h: \`${key}: 60s\``,
    })
    return null
  }
}

/** Windows are counted in memory: they end with the gateway. */
const QUOTA_WINDOW = { min: 1000, max: 31 * 86_400_000 }

export function readQuota(file: ServiceFile['quota'], path: Path, issues: IssueList): Quota | null {
  if (file === undefined) return null
  if (file.requests === undefined && file.bytes === undefined) {
    const fix = 'Set `requests` or `bytes`, or remove `quota`'
    issues.add(path, { problem: '`quota` sets no limit', fix }, 'key')
  }
  const windowMs = new DurationReader(path, issues).read('window', file.window, QUOTA_WINDOW)
  const bytes = readSize(file.bytes, [...path, 'bytes'], issues)
  return windowMs === null ? null : { requests: file.requests ?? null, bytes, windowMs }
}

/** Bytes; null if the value is absent or invalid. */
export function readSize(value: number | string | undefined, path: Path, issues: IssueList): number | null {
  if (value === undefined || typeof value === 'number') return value ?? null
  const bytes = parseSize(value)
  if (bytes !== null) return bytes
  issues.add(path, {
    problem: `Invalid size ${quote(value)}`,
    fix: 'Write a number and B, KB, MB, GB, KiB, MiB or GiB: `5GiB`',
  })
  return null
}
