import { SANDBOX_HOSTNAME } from '../../../common/own-names.js'
import { encodePath } from '../../raw-path.js'
import type { FstabEntry } from './fstab.js'
import { bytesPerInode, oldRoot } from './init-script.js'
import { scratchRoot, sealFstab, treeFstab, type MountPlan } from './mount-plan.js'

/**
 * One step in building a sandbox: what the program in build-program.ts does, and to what. Paths are strings as in raw-path.ts;
 * numbers are flags of system calls.
 */
export type BuildStep =
  | readonly ['directory', path: string, mode: string]
  | readonly ['link', path: string, target: string]
  | readonly ['file', path: string, mode: string, content: string | Buffer]
  | readonly ['mount', source: string, target: string, type: string, flags: number, data: string]
  | readonly ['unmount', path: string, flags: number]
  | readonly ['loopback']
  | readonly ['listen', name: string, kind: 'tcp' | 'udp', port: number]
  /** into a file that exists */
  | readonly ['write', path: string, text: string]
  | readonly ['remove', path: string]
  | readonly ['enter', path: string]
  | readonly ['pivot', newRoot: string, oldRoot: string]
  | readonly ['hostname', name: string]

/** Of mount(2). */
const FLAGS: Readonly<Record<string, number>> = {
  ro: 1,
  rw: 0,
  nosuid: 2,
  nodev: 4,
  noexec: 8,
  remount: 32,
  bind: 4096,
  rbind: 4096 | 16384,
}
const REMOUNT_BIND = 32 | 4096
/** Those that a first bind ignores, so that it takes a second call to set them. */
const ATTRIBUTES = 1 | 2 | 4 | 8
const DETACH = 2

/** What can be done before anything is known of the sandbox. */
export function firstSteps(root: string, tmpBytes: number): BuildStep[] {
  const inodes = Math.max(1024, Math.floor(tmpBytes / bytesPerInode))
  return [
    ...tmpfs(root, 'mode=0755,size=32m,nr_inodes=16k'),
    ['directory', root + scratchRoot, '0755'],
    ['directory', root + oldRoot, '0755'],
    ...tmpfs(root + scratchRoot, `mode=0755,size=${String(tmpBytes)},nr_inodes=${String(inodes)}`),
    ['loopback'],
  ]
}

/** The rest, in the order of formatInitScript. */
export function lastSteps({ order, tree, seal }: MountPlan): BuildStep[] {
  const { root, directories, links, files, bytes, own, listen } = order
  const file = ([path, content]: [string, string], mode: string, encoding: BufferEncoding): BuildStep => [
    'file',
    root + path,
    mode,
    Buffer.from(content, encoding),
  ]
  return [
    ...directories.map(({ path, mode }): BuildStep => ['directory', root + path, mode]),
    ...Object.entries(links).map(([path, target]): BuildStep => ['link', root + path, target]),
    ...Object.entries(files)
      // These are for mount(8).
      .filter(([path]) => path !== treeFstab && path !== sealFstab)
      .map((entry) => file(entry, '0444', 'utf8')),
    ...Object.entries(bytes).map((entry) => file(entry, '0444', 'base64')),
    ...Object.entries(own).map((entry) => file(entry, '0600', 'base64')),
    ...listen.map(({ name, kind, port }): BuildStep => ['listen', name, kind, port]),
    ...tree.flatMap(mountSteps),
    ['unmount', root + scratchRoot, 0],
    ['write', '/proc/sys/user/max_user_namespaces', '0'],
    ...seal.flatMap(mountSteps),
    ['remove', root + scratchRoot],
    ['enter', root],
    ['pivot', '.', `.${oldRoot}`],
    ['enter', '/'],
    ['unmount', oldRoot, DETACH],
    ['remove', oldRoot],
    ...mountSteps({
      source: 'none',
      target: '/',
      type: 'none',
      options: ['remount', 'bind', 'ro', 'nosuid', 'nodev'],
    }),
    ['hostname', SANDBOX_HOSTNAME],
  ]
}

/** As mount(8) does it: a bind ignores the options of a mount, which a second call sets. */
export function mountSteps({ source, target, type, options }: FstabEntry): BuildStep[] {
  const words = options.flatMap((option) => option.split(','))
  const flags = words.reduce((sum, word) => sum | (FLAGS[word] ?? 0), 0)
  const data = words.filter((word) => FLAGS[word] === undefined).join(',')
  const isNewBind = words.includes('bind') || words.includes('rbind') ? !words.includes('remount') : false
  if (!isNewBind) return [['mount', source, target, type, flags, data]]
  const attributes = flags & ATTRIBUTES
  return [
    ['mount', source, target, type, flags & ~ATTRIBUTES, ''],
    ...(attributes === 0 ? [] : ([['mount', 'none', target, type, REMOUNT_BIND | attributes, '']] as const)),
  ]
}

/** Each step with its length before it, and each of its words likewise; 32 bits, the highest byte first. */
export function encodeSteps(steps: readonly BuildStep[]): Buffer {
  return Buffer.concat(
    steps.flatMap((step) => {
      const words = step.map((word) => (Buffer.isBuffer(word) ? word : encodePath(String(word))))
      const framed = words.flatMap((word) => [lengthOf(word.length), word])
      return [lengthOf(framed.reduce((sum, { length }) => sum + length, 0)), ...framed]
    }),
  )
}

/** Ends the steps. */
export const END_OF_STEPS = lengthOf(0)

function lengthOf(length: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(length)
  return bytes
}

function tmpfs(path: string, data: string): BuildStep[] {
  return mountSteps({ source: 'none', target: path, type: 'tmpfs', options: ['nosuid', 'nodev', data] })
}
