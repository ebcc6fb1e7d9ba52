import { isIP } from 'node:net'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import nconf from 'nconf'
import * as z from 'zod'
import { nearest } from '#firewall/rules/nearest.js'
import { parseSize } from './limits/quantities.js'
import { AUDIT_LOST, LOG_LEVELS, type PolicyFile } from './schema/policy.js'

export type LogLevel = (typeof LOG_LEVELS)[number]

/** What happens when the file of the audit log was moved, replaced or cut by somebody else. */
export type AuditLost = (typeof AUDIT_LOST)[number]

/** Settings of the program itself, from the policy file's `settings`. */
export interface PolicySettings {
  readonly auditDir?: string
  readonly auditLost?: AuditLost
  readonly logLevel?: LogLevel
  readonly auditMinFreeBytes?: string
}

export interface SettingsFlags {
  readonly policy?: string | undefined
  readonly auditDir?: string | undefined
  readonly logLevel?: string | undefined
  readonly admin?: string | undefined
  readonly adminTokenFile?: string | undefined
}

export interface Settings {
  /** The policy file, absolute. */
  readonly policy: string
  /** Directory of the audit log, absolute. */
  readonly auditDir: string
  readonly auditLost: AuditLost
  readonly logLevel: LogLevel
  /** Where the admin listener listens for TCP, beside its Unix socket; null for nowhere. */
  readonly admin: { readonly host: string; readonly port: number } | null
  /** The file with the token for that, absolute; null if none is named. */
  readonly adminTokenFile: string | null
  /** Host names by which its clients reach it, in lower case. */
  readonly adminHosts: readonly string[]
  /** Free space below which the gateway is not healthy, in bytes. */
  readonly auditMinFreeBytes: number
}

export interface SettingsSources {
  readonly flags: SettingsFlags
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  /** From the policy file, once it is loaded. */
  readonly file?: PolicySettings
}

/** An invalid setting. */
export class SettingsError extends Error {
  readonly code = 'EGRESS_SETTINGS'
  readonly problem: string
  readonly fix: string

  constructor(problem: string, fix: string) {
    super(`${problem}\n  ${fix}`)
    this.name = 'SettingsError'
    this.problem = problem
    this.fix = fix
  }
}

/** The variables that are read, and no others: the rest of the environment may contain secrets. */
export const SETTING_VARIABLES = {
  policy: 'EGRESS_POLICY',
  auditDir: 'EGRESS_AUDIT_DIR',
  auditLost: 'EGRESS_AUDIT_LOST',
  logLevel: 'EGRESS_LOG_LEVEL',
  admin: 'EGRESS_ADMIN',
  adminTokenFile: 'EGRESS_ADMIN_TOKEN_FILE',
  adminHosts: 'EGRESS_ADMIN_HOSTS',
  auditMinFreeBytes: 'EGRESS_AUDIT_MIN_FREE',
} as const satisfies Record<keyof Settings, string>

/** Names for messages. The schema has already checked the settings in the policy file. */
const SETTING_NAMES = {
  policy: '--policy (EGRESS_POLICY)',
  auditDir: '--audit-dir (EGRESS_AUDIT_DIR)',
  auditLost: 'EGRESS_AUDIT_LOST',
  logLevel: 'EGRESS_LOG_LEVEL',
  admin: '--admin (EGRESS_ADMIN)',
  adminTokenFile: '--admin-token-file (EGRESS_ADMIN_TOKEN_FILE)',
  adminHosts: 'EGRESS_ADMIN_HOSTS',
  auditMinFreeBytes: 'EGRESS_AUDIT_MIN_FREE',
} as const satisfies Record<keyof Settings, string>

/** A port, or an address and a port. A name could resolve to any address. */
const LISTEN = /^(?:(\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:]+\]):)?(\d{1,5})$/i

const settingsSchema = z.strictObject({
  policy: z.string().min(1).describe('the path of the policy file'),
  auditDir: z.string().min(1).describe('the directory of the audit log'),
  auditLost: z.enum(AUDIT_LOST).describe(`one of ${AUDIT_LOST.join(', ')}`),
  logLevel: z.enum(LOG_LEVELS).describe(`one of ${LOG_LEVELS.join(', ')}`),
  admin: z
    .string()
    .refine((text) => text === '' || readListen(text) !== null)
    .describe('a port, or an address and a port, such as 9901 or 0.0.0.0:9901'),
  adminTokenFile: z.string().describe('the path of a file with the token'),
  adminHosts: z
    .string()
    .regex(/^[a-z0-9., -]*$/i)
    .describe('host names, with commas between them'),
  auditMinFreeBytes: z
    .string()
    .refine((text) => parseSize(text) !== null)
    .describe('a size, such as 512MiB'),
})

/** Loopback, unless an address is given. */
function readListen(text: string): Settings['admin'] {
  const [, host = '127.0.0.1', port = ''] = LISTEN.exec(text) ?? []
  const address = host.replace(/^\[(.*)\]$/, '$1')
  return port === '' || Number(port) > 65_535 || isIP(address) === 0
    ? null
    : { host: address, port: Number(port) }
}

/**
 * Flags override the environment, the environment overrides the policy file, the file overrides the defaults. It is called
 * twice: without `file` to find the policy file, and with `file` for the other settings.
 *
 * @throws SettingsError
 */
export function readSettings({ flags, env, cwd, file = {} }: SettingsSources): Settings {
  // nconf's own sources would read argv and the whole environment of the process, so it gets the four layers as literals.
  const layers = new nconf.Provider()
  layers.add('flags', literal({ ...flags }))
  layers.add('environment', literal(fromEnvironment(env)))
  layers.add('file', literal({ ...file }))
  const auditDirByDefault = defaultAuditDir(env)
  layers.add(
    'defaults',
    literal({
      policy: 'egress.yaml',
      auditDir: auditDirByDefault,
      auditLost: 'stop',
      logLevel: 'info',
      admin: '',
      adminTokenFile: '',
      adminHosts: '',
      auditMinFreeBytes: '64MiB',
    }),
  )
  const keys = Object.keys(SETTING_VARIABLES) as (keyof Settings)[]
  const parsed = settingsSchema.safeParse(
    Object.fromEntries(keys.map((key) => [key, layers.get(key) as unknown])),
  )
  if (!parsed.success) throw describe(String(parsed.error.issues[0]?.path[0]) as keyof Settings, layers)
  const { policy, auditDir, auditLost, logLevel, admin, adminTokenFile, adminHosts } = parsed.data
  return Object.freeze({
    policy: resolve(cwd, policy),
    auditDir: resolve(cwd, auditDir),
    auditLost,
    logLevel,
    admin: readListen(admin),
    adminTokenFile: adminTokenFile === '' ? null : resolve(cwd, adminTokenFile),
    adminHosts: adminHosts
      .toLowerCase()
      .split(/[, ]+/)
      .filter((name) => name !== ''),
    auditMinFreeBytes: parseSize(parsed.data.auditMinFreeBytes) ?? 0,
  })
}

/** The `settings` of a policy file in `directory`, and the one of its `audit` that is a setting. */
export function readPolicySettings(
  file: PolicyFile['settings'],
  audit: PolicyFile['audit'],
  directory: string,
): PolicySettings {
  const { audit_dir: auditDir, audit_lost: auditLost, log_level: logLevel } = file ?? {}
  return {
    ...(auditDir === undefined ? {} : { auditDir: resolve(directory, auditDir) }),
    ...(auditLost === undefined ? {} : { auditLost }),
    ...(logLevel === undefined ? {} : { logLevel }),
    ...(audit?.min_free === undefined ? {} : { auditMinFreeBytes: audit.min_free }),
  }
}

function literal(values: Readonly<Record<string, string | undefined>>): nconf.IOptions {
  const store = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))
  return { type: 'literal', store }
}

function fromEnvironment(env: SettingsSources['env']): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(SETTING_VARIABLES).map(([key, name]) => [key, env[name]]))
}

/** XDG base directory specification: state outlives a restart and needs no backup. */
function defaultAuditDir(env: SettingsSources['env']): string {
  const state = env['XDG_STATE_HOME']
  // The specification requires ignoring a relative path.
  const base = state?.startsWith('/') === true ? state : join(env['HOME'] ?? homedir(), '.local', 'state')
  return join(base, 'egress', 'audit')
}

function describe(key: keyof Settings, layers: nconf.Provider): SettingsError {
  const value: unknown = layers.get(key)
  const near = key === 'logLevel' ? nearest(String(value), LOG_LEVELS) : null
  return new SettingsError(
    value === ''
      ? `${SETTING_NAMES[key]} is empty`
      : `Invalid value \`${String(value)}\` for ${SETTING_NAMES[key]}`,
    near === null ? `Set it to ${settingsSchema.shape[key].description ?? key}` : `Write \`${near}\``,
  )
}
