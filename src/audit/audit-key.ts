import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  type KeyObject,
} from 'node:crypto'
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EgressError, EXIT } from '../common/errors.js'
import { makeDirectory } from '../common/make-directory.js'

/** Signs the checkpoints of a log (Ed25519, RFC 8032). */
export interface AuditKey {
  /** SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7) in base64. */
  readonly publicKey: string
  /** Base64 of 64 bytes. */
  sign(text: string): string
}

const PRIVATE = 'audit-key.pem'
/** For whoever verifies the log elsewhere. */
export const PUBLIC_KEY_FILE = 'audit-key.pub.pem'

/**
 * The key in this directory; it is made where there is none. Threat: whoever can write the log must not be able to sign it, so the
 * directory is another one, which sandboxes never see.
 *
 * @throws EgressError if it cannot be read or made
 */
export function openAuditKey(directory: string): AuditKey {
  const path = join(directory, PRIVATE)
  try {
    return keyOf(readPrivate(path) ?? makeKey(directory, path))
  } catch (cause) {
    const { code = 'not a key' } = cause as NodeJS.ErrnoException
    throw new EgressError({
      code: 'EGRESS_AUDIT_KEY',
      problem: `Cannot read or make the key that signs the audit log, ${path} (${code})`,
      fix: 'Make its directory writable, or set EGRESS_AUDIT_KEY_DIR to another one; a damaged key can be moved away',
      exitCode: EXIT.failed,
      cause,
    })
  }
}

/** The name by which a key is told to people: 16 hexadecimal digits. */
export function fingerprint(publicKey: string): string {
  return createHash('sha256').update(Buffer.from(publicKey, 'base64')).digest('hex').slice(0, 16)
}

function readPrivate(path: string): KeyObject | null {
  let pem: string
  try {
    pem = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  const key = createPrivateKey(pem)
  if (key.asymmetricKeyType !== 'ed25519') throw new Error('not an Ed25519 key')
  return key
}

/** Of two processes that make one at once, both use that of the first: `link` does not replace a file. */
function makeKey(directory: string, path: string): KeyObject {
  makeDirectory(directory, 0o700)
  const { privateKey } = generateKeyPairSync('ed25519')
  const draft = `${path}.${String(process.pid)}`
  writeFileSync(draft, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx' })
  try {
    linkSync(draft, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    rmSync(draft)
  }
  const key = readPrivate(path) ?? privateKey
  writeFileSync(
    join(directory, PUBLIC_KEY_FILE),
    createPublicKey(key).export({ type: 'spki', format: 'pem' }),
  )
  return key
}

function keyOf(key: KeyObject): AuditKey {
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' }).toString('base64')
  return { publicKey, sign: (text) => sign(null, Buffer.from(text, 'utf8'), key).toString('base64') }
}
