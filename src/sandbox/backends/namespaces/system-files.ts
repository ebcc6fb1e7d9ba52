import { lstatSync, readdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'

/** A path of the host that every sandbox sees. A symbolic link is copied; files and directories are bound read-only. */
export interface SystemFile {
  path: string
  kind: 'directory' | 'file' | 'link'
  /** target of a link, otherwise '' */
  link: string
}

const systemTrees = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32']

/**
 * An allow-list, because /etc contains secrets: shadow, ssl/private, ssh, gitconfig, passwords in fstab, credential files of
 * daemons.
 */
const harmlessEtc = [
  'alternatives',
  'bash.bashrc',
  'bindresvport.blacklist',
  'crypto-policies',
  'debian_version',
  'ethertypes',
  'fonts',
  'gai.conf',
  'inputrc',
  'ld.so.cache',
  'ld.so.conf',
  'ld.so.conf.d',
  'ld-musl-x86_64.path',
  'ld-musl-aarch64.path',
  'locale.alias',
  'locale.conf',
  'localtime',
  'magic',
  'magic.mime',
  'mime.types',
  'os-release',
  'perl',
  'protocols',
  'redhat-release',
  'rpc',
  'services',
  'shells',
  'ssl/openssl.cnf',
  'terminfo',
  'timezone',
  'vim',
  'xattr.conf',
]

const harmlessEtcFamilies = /^(java(-\d+.*)?|python\d*(\.\d+)?|php|R|lua|ImageMagick-\d+)$/

/** The host's system files that a sandbox may see, in the order in which they are to be mounted. */
export function listSystemFiles(): SystemFile[] {
  const families = readdirSync('/etc').filter((name) => harmlessEtcFamilies.test(name))
  const etc = [...harmlessEtc, ...families].map((name) => join('/etc', name))
  return [...systemTrees, ...etc].flatMap((path): SystemFile[] => {
    const found = lstatSync(path, { throwIfNoEntry: false })
    if (found?.isSymbolicLink()) return [{ path, kind: 'link', link: readlinkSync(path) }]
    const othersRead = found !== undefined && (found.mode & 0o004) !== 0
    if (found?.isDirectory() && othersRead) return [{ path, kind: 'directory', link: '' }]
    if (found?.isFile() && othersRead) return [{ path, kind: 'file', link: '' }]
    return []
  })
}
