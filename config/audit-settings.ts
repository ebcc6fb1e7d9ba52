import { Secret } from '#firewall/secrets/secret.js'
import { parseDuration, parseSize } from './limits/quantities.js'
import type { IssueList } from './issues/issue.js'
import type { PolicyFile } from './schema/policy.js'
import { SettingsError } from './settings.js'

/** What becomes of an audit log once it is written. */
export interface AuditSettings {
  /** Milliseconds after which a closed file is removed; null for never. */
  readonly keepMs: number | null
  /** Bytes of all files, beyond which the oldest closed ones are removed; null for no limit. */
  readonly maxBytes: number | null
  readonly compress: 'gzip' | 'none'
  /** The file elsewhere, or the URL, that gets each checkpoint; null for none. */
  readonly anchor: string | null
  /** Who is told at once of what looks like an attack; null for nobody. */
  readonly alerts: { readonly url: string; readonly secret: Secret } | null
  /** How decisions are shown on standard output. */
  readonly logFormat: 'pretty' | 'json'
}

/** What a policy says of it, under `audit`. */
export type PolicyAudit = Partial<Pick<AuditSettings, 'keepMs' | 'maxBytes' | 'compress' | 'anchor'>>

type Env = Readonly<Record<string, string | undefined>>

const DAY_MS = 86_400_000

const KEEP = 'a duration such as 30d or 12h'
const MAX = 'a size such as 20GiB'
const ANCHOR = 'an absolute path or an https:// URL'

/** Reads the section `audit` of a policy. */
export function readPolicyAudit(file: PolicyFile['audit'], issues: IssueList): PolicyAudit {
  const { keep, max, compress, anchor, min_free: minFree } = file ?? {}
  const value = <T>(
    key: string,
    text: string | undefined,
    parse: (text: string) => T | null,
    what: string,
  ) => {
    const parsed = text === undefined ? null : parse(text)
    if (text !== undefined && parsed === null)
      issues.add(['audit', key], { problem: `Invalid value for \`${key}\``, fix: `Set it to ${what}` })
    return parsed
  }
  const keepMs = value('keep', keep, keepOf, KEEP)
  const maxBytes = value('max', max, parseSize, MAX)
  const place = value('anchor', anchor, anchorOf, ANCHOR)
  value('min_free', minFree, parseSize, 'a size such as 512MiB')
  return {
    ...(keepMs === null ? {} : { keepMs }),
    ...(maxBytes === null ? {} : { maxBytes }),
    ...(compress === undefined ? {} : { compress }),
    ...(place === null ? {} : { anchor: place }),
  }
}

/**
 * Reads the `EGRESS_AUDIT_…`, `EGRESS_ALERT_…` and `EGRESS_LOG_FORMAT` variables, which override the policy.
 *
 * @throws SettingsError
 */
export function readAuditSettings(env: Env, file: PolicyAudit = {}): AuditSettings {
  return {
    keepMs: read(env, 'EGRESS_AUDIT_KEEP', keepOf, KEEP) ?? file.keepMs ?? null,
    maxBytes: read(env, 'EGRESS_AUDIT_MAX', parseSize, MAX) ?? file.maxBytes ?? null,
    compress:
      read(env, 'EGRESS_AUDIT_COMPRESS', oneOf('gzip', 'none'), 'gzip or none') ?? file.compress ?? 'none',
    anchor: read(env, 'EGRESS_AUDIT_ANCHOR', anchorOf, ANCHOR) ?? file.anchor ?? null,
    alerts: readAlerts(env),
    logFormat: read(env, 'EGRESS_LOG_FORMAT', oneOf('pretty', 'json'), 'pretty or json') ?? 'pretty',
  }
}

function readAlerts(env: Env): AuditSettings['alerts'] {
  const url = read(env, 'EGRESS_ALERT_URL', urlOf, 'an https:// URL, or http:// on this machine')
  const secret = env['EGRESS_ALERT_SECRET'] ?? ''
  if (url === null) return null
  if (secret.length < 16)
    throw new SettingsError(
      'EGRESS_ALERT_SECRET is missing or shorter than 16 characters',
      'Set it to a random text, with which the receiver checks the signature',
    )
  return { url, secret: new Secret('EGRESS_ALERT_SECRET', secret) }
}

/** An empty variable is one that is not set, as Compose passes it on. */
function read<T>(env: Env, name: string, parse: (text: string) => T | null, what: string): T | null {
  const text = env[name] ?? ''
  if (text === '') return null
  const value = parse(text)
  if (value === null) throw new SettingsError(`Invalid value \`${text}\` for ${name}`, `Set it to ${what}`)
  return value
}

function keepOf(text: string): number | null {
  const days = /^(\d{1,5})d$/.exec(text)?.[1]
  const ms = days === undefined ? parseDuration(text) : Number(days) * DAY_MS
  return ms === 0 ? null : ms
}

const oneOf =
  <T extends string>(...values: readonly T[]) =>
  (text: string): T | null =>
    values.find((value) => value === text) ?? null

const anchorOf = (text: string): string | null => (text.startsWith('/') ? text : urlOf(text))

function urlOf(text: string): string | null {
  if (!URL.canParse(text)) return null
  const { protocol, hostname } = new URL(text)
  const isHere = ['localhost', '127.0.0.1', '[::1]'].includes(hostname)
  return protocol === 'https:' || (protocol === 'http:' && isHere) ? text : null
}
