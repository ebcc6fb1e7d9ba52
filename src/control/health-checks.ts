import { readdirSync, statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { AuditExcess } from '../audit/retention.js'
import { EgressError } from '../common/errors.js'
import type { HealthCheck } from './health.js'

const DAY_MS = 86_400_000

/** Days before the end of the certificate authority: a sandbox that runs for weeks has its certificate in a file. */
const CA_DAYS = 30

export interface AuditSpace {
  /** Of the log, rotated files included. */
  readonly bytes: number
  /** Left for this user. */
  readonly freeBytes: number
}

/** Null where it cannot be read, for which the check of the log itself has the reason. */
export function auditSpace(directory: string): AuditSpace | null {
  try {
    const { bavail, bsize } = statfsSync(directory)
    const files = readdirSync(directory, { withFileTypes: true }).filter((file) => file.isFile())
    const sizes = files.map(
      ({ name }) => statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0,
    )
    return { bytes: sizes.reduce((sum, size) => sum + size, 0), freeBytes: bavail * bsize }
  } catch {
    return null
  }
}

/**
 * @param minFreeBytes below which the log will soon stop, and all traffic with it
 * @param excess null while the log is within its limit, or has none
 */
export function diskCheck(
  directory: string,
  minFreeBytes: number,
  excess: () => AuditExcess | null = () => null,
): HealthCheck {
  return {
    name: 'disk',
    problem() {
      const over = excess()
      if (over !== null)
        return new EgressError({
          code: 'EGRESS_AUDIT_MAX',
          problem: `The audit log in ${directory} has ${mib(over.bytes)} MiB, above its limit of ${mib(over.maxBytes)} MiB, and no closed file is left to remove`,
          fix: 'Raise audit.max (EGRESS_AUDIT_MAX), or send the gateway SIGUSR2, which closes the files that are written',
          exitCode: 1,
        })
      const space = auditSpace(directory)
      if (space === null || space.freeBytes >= minFreeBytes) return null
      const left = mib(space.freeBytes)
      return new EgressError({
        code: 'EGRESS_DISK',
        problem: `Only ${left} MiB are free for the audit log in ${directory}. All traffic stops when it is full`,
        fix: 'Free disk space, or move rotated files of the log elsewhere',
        exitCode: 1,
      })
    },
  }
}

const mib = (bytes: number) => String(Math.floor(bytes / 1_048_576))

/** @param expires milliseconds since 1970 */
export function caCheck(expires: number, now: () => number): HealthCheck {
  return {
    name: 'ca',
    problem() {
      const days = Math.floor((expires - now()) / DAY_MS)
      if (days >= CA_DAYS) return null
      return new EgressError({
        code: 'EGRESS_CA_EXPIRES',
        problem:
          days < 0
            ? 'The certificate authority of the gateway has expired, so no client trusts it'
            : `The certificate authority of the gateway expires in ${String(days)} days`,
        fix: 'Restart the gateway while no sandbox runs: it makes a new one',
        exitCode: 1,
      })
    },
  }
}
