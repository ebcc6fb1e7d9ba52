import { createPublicKey } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fingerprint } from '../audit/audit-key.js'
import { EgressError, EXIT } from '../common/errors.js'
import type { CommandIo } from '../common/io.js'
import { FINDINGS, type FindingKind } from '../logs/chain-verifier.js'
import { verifyLogs, type Verified } from '../logs/verify.js'

/** Options of `egress logs verify`. */
export interface VerifyFlags {
  readonly auditDir: string
  /** A file of public keys in PEM. */
  readonly publicKey: string | undefined
  /** Directories in which this machine's own key may be. */
  readonly keyDirectories: readonly string[]
  readonly open: boolean
  readonly retained: boolean
}

/** Findings that are printed; the others are counted. */
const MAX_PRINTED = 20

/** Prints what is wrong with the audit log, and returns the exit code of the first finding: `FINDINGS`; 0 for none. */
export async function verifyCommand(flags: VerifyFlags, io: CommandIo): Promise<number> {
  const trusted = trustedKeys(flags)
  const kinds: FindingKind[] = []
  let printed = 0
  const options = { keys: trusted?.keys ?? null, mayBeginLate: flags.retained, mayBeOpen: flags.open }
  const logs = await verifyLogs(flags.auditDir, options, ({ kind, message, place }) => {
    if (kinds.length === 0) kinds.push(kind)
    printed += 1
    if (printed <= MAX_PRINTED) io.stdout.write(`${kind.toUpperCase()} ${place}: ${message}\n`)
  })
  if (logs.length === 0)
    throw new EgressError({
      code: 'EGRESS_NO_LOG',
      problem: `There is no audit log in ${flags.auditDir}`,
      fix: 'Name its directory with --audit-dir',
    })
  if (printed > MAX_PRINTED) io.stdout.write(`and ${String(printed - MAX_PRINTED)} more\n`)
  for (const line of summary(logs, trusted?.from ?? null)) io.stdout.write(`${line}\n`)
  if (printed === 0) io.stdout.write('Nothing was changed\n')
  const [first] = kinds
  return first === undefined ? EXIT.fine : FINDINGS[first]
}

function summary(logs: readonly Verified[], from: string | null): string[] {
  const records = logs.reduce((sum, log) => sum + log.records, 0)
  const open = logs.filter(({ isEnded }) => !isEnded)
  const kills = logs.reduce((sum, log) => sum + log.kills, 0)
  const keys = [...new Set(logs.flatMap(({ key }) => (key === null ? [] : [fingerprint(key)])))]
  const unsealed = open.reduce((sum, log) => sum + log.unsealed, 0)
  const signedBy = keys.length === 0 ? 'nobody' : keys.join(', ')
  return [
    `${String(records)} records in ${String(logs.length)} logs, signed by ${signedBy}`,
    ...(from === null && keys.length > 0
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

/** The keys that may have signed: those of the user, or this machine's own; null if none are known. */
function trustedKeys(flags: VerifyFlags): { readonly keys: readonly string[]; readonly from: string } | null {
  if (flags.publicKey !== undefined) return { keys: readKeys(flags.publicKey), from: flags.publicKey }
  const own = flags.keyDirectories
    .map((directory) => join(directory, 'audit-key.pub.pem'))
    .filter((file) => existsSync(file))
  return own.length === 0 ? null : { keys: own.flatMap(readKeys), from: own.join(', ') }
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
