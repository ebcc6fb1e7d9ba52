import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CertificateAuthority } from '#proxy/tls/certificate-authority.js'
import { certificateFiles } from '../environment.js'
import type { StateDirectories } from './state.js'

/** The gateway's authority, kept over restarts: what a sandbox trusts must not change under it. */
export async function openCa(
  { ca: directory, certificates }: StateDirectories,
  now: number,
): Promise<CertificateAuthority> {
  const certificate = join(directory, 'authority.pem')
  const key = join(directory, 'authority.key')
  let ca = await CertificateAuthority.restore(readOrNull(certificate), readOrNull(key), now)
  if (ca === null) {
    const made = await CertificateAuthority.createToKeep(now)
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    writeWhole(key, made.key, 0o600)
    writeWhole(certificate, made.ca.pem, 0o600)
    ca = made.ca
  }
  publish(ca.pem, certificates)
  return ca
}

/** Under the names that clients look for, so that the directory can stand in the place of the system's own. */
function publish(pem: string, directory: string): void {
  mkdirSync(directory, { recursive: true })
  for (const [path, text] of Object.entries(certificateFiles(pem))) {
    writeWhole(join(directory, path.replace(/^.*\//, '')), text, 0o644)
  }
}

function writeWhole(path: string, text: string, mode: number): void {
  const temporary = `${path}.new`
  writeFileSync(temporary, text, { mode })
  renameSync(temporary, path)
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}
