import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import tls from 'node:tls'
import { certificateBlocks, isCertificate } from './pem.js'

/** Where systems keep the bundle of the authorities that they trust: Debian, Fedora, openSUSE, Alpine and macOS. */
const BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
]

export interface HostAuthorities {
  /** PEM of those that Node does not have by itself; null for none. Parsed with the first call, which takes some milliseconds. */
  readonly pem: () => string | null
  /** Absolute names of the files that were read: who writes them decides whom the gateway trusts. */
  readonly files: readonly string[]
}

export const NO_AUTHORITIES: HostAuthorities = { pem: () => null, files: [] }

type Environment = Readonly<Record<string, string | undefined>>

/**
 * The authorities that the host trusts: those of a company, or of a product that inspects TLS. `SSL_CERT_FILE` takes the place
 * of the system's bundle, as for OpenSSL; `NODE_EXTRA_CA_CERTS` adds to it, as for Node.
 */
export function readHostAuthorities(env: Environment, cwd: string, bundles = BUNDLES): HostAuthorities {
  const named = [env['SSL_CERT_FILE'], env['NODE_EXTRA_CA_CERTS']]
  const [instead, extra] = named.map((file) =>
    file === undefined || file === '' ? null : resolve(cwd, file),
  )
  const system = instead === null || instead === undefined ? bundles : [instead]
  const read = [firstOf(system), firstOf(extra === null || extra === undefined ? [] : [extra])].filter(
    (one) => one !== null,
  )
  const texts = read.map(({ text }) => text)
  let pem: string | null | undefined
  return {
    pem: () => (pem === undefined ? (pem = addedTo(texts)) : pem),
    files: read.map(({ file }) => file),
  }
}

function addedTo(texts: readonly string[]): string | null {
  const known = new Set(tls.rootCertificates.map(bodyOf))
  const added = new Map<string, string>()
  for (const text of [...texts, ...systemStore()])
    for (const block of certificateBlocks(text))
      // The others of a bundle are as good as before if one of them is broken.
      if (!known.has(bodyOf(block)) && isCertificate(block)) added.set(bodyOf(block), block)
  return added.size === 0 ? null : [...added.values(), ''].join('\n')
}

function firstOf(files: readonly string[]): { readonly file: string; readonly text: string } | null {
  for (const file of files) {
    try {
      return { file, text: readFileSync(file, 'latin1') }
    } catch {
      // Another system, or none.
    }
  }
  return null
}

/** What Node reads of the system by itself, where that is no file (22.15 and later). */
function systemStore(): readonly string[] {
  const { getCACertificates } = tls as { getCACertificates?: (store: 'system') => readonly string[] }
  return process.platform === 'linux' ? [] : (getCACertificates?.('system') ?? [])
}

function bodyOf(block: string): string {
  return block.replace(/-----[^-]*-----|\s/g, '')
}
