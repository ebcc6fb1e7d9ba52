import { certificatesIn, publicCas } from './public-cas.js'
import {
  BUNDLE,
  BUNDLE_PATHS,
  CHROMIUM_POLICIES,
  FIREFOX_POLICIES,
  GATEWAY_CERTIFICATE,
  JAVA_STORE,
  JAVA_STORE_PATHS,
  NSS_DATABASE,
  NSS_SOURCE,
  TRUST_DIRECTORIES,
} from './clients.js'
import { javaStore } from './java-store.js'
import { nssDatabase } from './nss-database.js'
import { subjectHash } from './subject-hash.js'

const NSS_LABEL = 'agent-egress-firewall'

/** Text or bytes, which the sandbox cannot change; a link to another file; or bytes that it may change, in its home directory. */
export type FileContent = string | Buffer | { readonly link: string } | { readonly initial: Buffer }

/**
 * The files that every sandbox gets, by their paths. They have the gateway's certificate and no key.
 *
 * @param pem the gateway's certificate
 * @param at milliseconds since 1970
 */
export function trustFiles(pem: string, at: number): Record<string, FileContent> {
  const bundle = `${publicCas(BUNDLE_PATHS)}\n${pem}`
  const [der = Buffer.alloc(0)] = certificatesIn(pem)
  const linkTo = (link: string, paths: readonly string[]) =>
    Object.fromEntries(paths.filter((path) => path !== link).map((path) => [path, { link }]))
  return {
    [GATEWAY_CERTIFICATE]: pem,
    [BUNDLE]: bundle,
    ...linkTo(BUNDLE, BUNDLE_PATHS),
    // For OpenSSL without a variable, which looks into the directory.
    [`/etc/ssl/certs/${subjectHash(der)}.0`]: pem,
    [JAVA_STORE]: javaStore(certificatesIn(bundle), at),
    ...linkTo(JAVA_STORE, JAVA_STORE_PATHS),
    ...Object.fromEntries(
      CHROMIUM_POLICIES.map((directory) => [`${directory}/managed/egress.json`, chromiumPolicy(der)]),
    ),
    [`${FIREFOX_POLICIES}/policies.json`]: firefoxPolicy(),
    [NSS_SOURCE]: nssDatabase(der, NSS_LABEL),
  }
}

/**
 * Further files, of the home directory. Their clients write beside them.
 *
 * @param pem the gateway's certificate
 */
export function homeTrustFiles(pem: string, home: string): Record<string, FileContent> {
  const [der = Buffer.alloc(0)] = certificatesIn(pem)
  return { [`${home}/${NSS_DATABASE}`]: { initial: nssDatabase(der, NSS_LABEL) } }
}

/**
 * The same files for one directory that can stand for each of TRUST_DIRECTORIES: relative path -> content. Every engine can mount a
 * volume as a directory, and only recent ones a part of it.
 */
export function trustVolume(pem: string, at: number): Record<string, string | Buffer> {
  const files = trustFiles(pem, at)
  const contentOf = (content: FileContent | undefined): string | Buffer => {
    if (typeof content === 'string' || Buffer.isBuffer(content)) return content
    return content === undefined || 'initial' in content ? '' : contentOf(files[content.link])
  }
  return Object.fromEntries(
    TRUST_DIRECTORIES.flatMap((directory) =>
      Object.entries(files)
        .filter(([path]) => path.startsWith(`${directory}/`))
        .map(([path, content]) => [path.slice(directory.length + 1), contentOf(content)] as const),
    ),
  )
}

function chromiumPolicy(der: Buffer): string {
  return `${JSON.stringify({ CACertificates: [der.toString('base64')] })}\n`
}

function firefoxPolicy(): string {
  return `${JSON.stringify({ policies: { Certificates: { ImportEnterpriseRoots: true, Install: [GATEWAY_CERTIFICATE] } } })}\n`
}
