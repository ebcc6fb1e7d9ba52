import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CertificateAuthority } from '#proxy/tls/certificate-authority.js'
import { trustVolume } from '../trust/trust-files.js'
import { EgressError } from '../common/errors.js'
import { writeWholeFile } from '../common/write-file.js'
import type { StateDirectories } from '../common/state.js'

/** The gateway's certificate authority, stored across restarts so that running sandboxes keep trusting it. */
export async function openCa(
  { ca: directory, certificates }: StateDirectories,
  now: number,
): Promise<CertificateAuthority> {
  const certificate = join(directory, 'authority.pem')
  const key = join(directory, 'authority.key')
  let ca = await CertificateAuthority.restore(readOrNull(certificate), readOrNull(key), now)
  try {
    if (ca === null) {
      const made = await CertificateAuthority.createToKeep(now)
      mkdirSync(directory, { recursive: true, mode: 0o700 })
      writeWholeFile(key, made.key, 0o600)
      writeWholeFile(certificate, made.ca.pem, 0o600)
      ca = made.ca
    }
    publish(ca.pem, certificates, now)
  } catch (error) {
    const { code = 'unknown error', path = directory } = error as NodeJS.ErrnoException
    throw new EgressError({
      code: 'EGRESS_STATE',
      problem: `Cannot write ${path} (${code})`,
      fix: 'Make it writable for the user that runs the gateway, or set EGRESS_STATE_DIR to another directory',
    })
  }
  return ca
}

/** Uses the file names that clients look for, so that the directory can replace the system's certificate directories. */
function publish(pem: string, directory: string, now: number): void {
  for (const [path, content] of Object.entries(trustVolume(pem, now)))
    writeWholeFile(join(directory, path), content)
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}
