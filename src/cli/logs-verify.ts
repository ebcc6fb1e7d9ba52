import { createPublicKey } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { AUDIT_ROLES, type AuditRole } from '../audit/audit.js'
import { fingerprint, PUBLIC_KEY_FILE } from '../audit/audit-key.js'
import { EgressError, EXIT } from '../common/errors.js'
import type { CommandIo } from '../common/io.js'
import { FINDINGS, type FindingKind } from '../logs/chain-verifier.js'
import { progressBar } from '../logs/progress.js'
import { sizeOfLogs } from '../logs/read.js'
import { readAnchors, verifyLogs, type Verified } from '../logs/verify.js'

/** Options of `egress logs verify`. */
export interface VerifyFlags {
  readonly auditDir: string
  /** A file of public keys in PEM. */
  readonly publicKey: string | undefined
  /** Directories in which this machine's own key may be. */
  readonly keyDirectories: readonly string[]
  /** Where that of a resolver may be which is a process of its own. */
  readonly resolverKeyDirectory: string
  /** A file of checkpoints that was kept elsewhere. */
  readonly anchor: string | undefined
  readonly open: boolean
  readonly retained: boolean
  /** Whether a bar may show how much was read. */
  readonly bar: boolean
}

/** Findings that are printed; the others are counted. */
const MAX_PRINTED = 20

/** Prints what is wrong with the audit log, and returns the exit code of the first finding: `FINDINGS`; 0 for none. */
export async function verifyCommand(flags: VerifyFlags, io: CommandIo): Promise<number> {
  const trusted = trustedKeys(flags)
  const kinds: FindingKind[] = []
  let printed = 0
  // Threat: a resolver that was taken over has its own key, and writes the proxy's log anew.
  const keysOf = (role: AuditRole) =>
    trusted === null ? null : [...trusted.keys, ...(role === 'dns' ? trusted.resolver : [])]
  const anchors = flags.anchor === undefined ? [] : readAnchors(readAnchorFile(flags.anchor))
  const bar = progressBar(flags.bar ? io.stderr : null, sizeOfLogs(flags.auditDir, AUDIT_ROLES))
  const options = { keysOf, mayBeginLate: flags.retained, mayBeOpen: flags.open, progress: bar.add, anchors }
  const logs = await verifyLogs(flags.auditDir, options, ({ kind, message, place }) => {
    if (kinds.length === 0) kinds.push(kind)
    printed += 1
    bar.clear()
    if (printed <= MAX_PRINTED) io.stdout.write(`${kind.toUpperCase()} ${place}: ${message}\n`)
  })
  bar.clear()
  if (logs.length === 0)
    throw new EgressError({
      code: 'EGRESS_NO_LOG',
      problem: `There is no audit log in ${flags.auditDir}`,
      fix: 'Name its directory with --audit-dir',
    })
  if (printed > MAX_PRINTED) io.stdout.write(`and ${String(printed - MAX_PRINTED)} more\n`)
  for (const line of summary(logs, trusted !== null)) io.stdout.write(`${line}\n`)
  if (printed === 0) io.stdout.write('Nothing was changed\n')
  const [first] = kinds
  return first === undefined ? EXIT.fine : FINDINGS[first]
}

/** @throws EgressError */
function readAnchorFile(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    const { code = 'unknown error' } = cause as NodeJS.ErrnoException
    throw new EgressError({
      code: 'EGRESS_NO_ANCHOR',
      problem: `Cannot read the anchor ${file} (${code})`,
      fix: 'Name the file of checkpoints that was kept elsewhere (EGRESS_AUDIT_ANCHOR)',
      cause,
    })
  }
}

function summary(logs: readonly Verified[], isTrusted: boolean): string[] {
  const records = logs.reduce((sum, log) => sum + log.records, 0)
  const open = logs.filter(({ isEnded }) => !isEnded)
  const kills = logs.reduce((sum, log) => sum + log.kills, 0)
  const keys = [...new Set(logs.flatMap(({ key }) => (key === null ? [] : [fingerprint(key)])))]
  const unsealed = open.reduce((sum, log) => sum + log.unsealed, 0)
  const signedBy = keys.length === 0 ? 'nobody' : keys.join(', ')
  return [
    `${String(records)} records in ${String(logs.length)} logs, signed by ${signedBy}`,
    ...(!isTrusted && keys.length > 0
      ? ['The key is the one in the log itself: give the one that you know with --public-key']
      : []),
    ...(open.length > 0
      ? [
          `${String(open.length)} logs are open: ${String(unsealed)} records at their ends are not signed yet, and what was cut off behind them cannot be seen`,
        ]
      : []),
    ...(kills > 0 ? [`${String(kills)} times a gateway stopped without ending its log`] : []),
  ]
}

interface TrustedKeys {
  readonly keys: readonly string[]
  /** Those that may sign the log of queries alone. */
  readonly resolver: readonly string[]
}

/** The keys of the user, or this machine's own; null if none are known. */
function trustedKeys({ publicKey, keyDirectories, resolverKeyDirectory }: VerifyFlags): TrustedKeys | null {
  if (publicKey !== undefined) return { keys: readKeys(publicKey), resolver: [] }
  const keysIn = (directories: readonly string[]) =>
    directories
      .map((directory) => join(directory, PUBLIC_KEY_FILE))
      .filter((file) => existsSync(file))
      .flatMap(readKeys)
  const [keys, resolver] = [keysIn(keyDirectories), keysIn([resolverKeyDirectory])]
  return keys.length === 0 ? null : { keys, resolver }
}

function readKeys(file: string): string[] {
  try {
    const blocks = readFileSync(file, 'utf8').match(
      /-----BEGIN PUBLIC KEY-----[^-]+-----END PUBLIC KEY-----/g,
    )
    if (blocks === null) throw new Error('not a key')
    return blocks.map((pem) =>
      createPublicKey(pem).export({ type: 'spki', format: 'der' }).toString('base64'),
    )
  } catch (cause) {
    const { code = 'not a public key in PEM' } = cause as NodeJS.ErrnoException
    throw new EgressError({
      code: 'EGRESS_PUBLIC_KEY',
      problem: `Cannot read the public key ${file} (${code})`,
      fix: 'Give the audit-key.pub.pem of the gateway that wrote the log',
      cause,
    })
  }
}
