import { formatFstab, type FstabEntry } from './fstab.js'
import type { HelperOrder } from './helper-messages.js'
import { bindOptions, mountOf, mountsBeneath, visibleMounts, type MountEntry } from './mount-table.js'
import { isWithin } from '../../paths.js'
import type { MaskedPath, SandboxPlan, ShownTree } from '../../plan.js'
import { SandboxError } from '../../sandbox-error.js'
import type { SandboxFiles } from '../../spec.js'
import type { FileContent } from '../../../trust/trust-files.js'
import type { SystemFile } from './system-files.js'

/** A shown tree, and the path to bind it from, which is another one if root has staged it. */
export interface StagedTree extends ShownTree {
  source: string
}

export interface MountPlanInput {
  plan: Pick<SandboxPlan, 'hidden' | 'readOnly' | 'pinned' | 'scratch' | 'links' | 'listen'>
  /** where the new root is mounted while it is being built */
  root: string
  table: readonly MountEntry[]
  system: readonly SystemFile[]
  trees: readonly StagedTree[]
  /** path inside -> content: /etc, the caller's files, the agent's start script */
  files: SandboxFiles
  /** files of /proc to hide that exist on this host */
  hiddenProc: readonly MaskedPath[]
  readOnlyProc: readonly string[]
}

export interface MountPlan {
  order: HelperOrder
  /** everything that is mounted on the new root */
  tree: FstabEntry[]
  /** mounts to make last, because earlier steps write below them */
  seal: FstabEntry[]
}

/** Directory of the launcher's own files in the sandbox. */
export const ownDirectory = '/.sandbox'
export const launchScript = `${ownDirectory}/launch`
export const emptyFile = `${ownDirectory}/hidden-file`
export const emptyDirectory = `${ownDirectory}/hidden-directory`
/** Directory of the files that are shown instead of hidden ones. */
const shownInstead = `${ownDirectory}/shown`
/** Where the writable tmpfs is mounted while the root is being built. */
export const scratchRoot = `${ownDirectory}/scratch`
export const treeFstab = `${ownDirectory}/tree.fstab`
export const sealFstab = `${ownDirectory}/seal.fstab`

const deviceNodes = ['null', 'zero', 'full', 'random', 'urandom', 'tty']

const deviceLinks: Record<string, string> = {
  '/dev/fd': '/proc/self/fd',
  '/dev/stdin': '/proc/self/fd/0',
  '/dev/stdout': '/proc/self/fd/1',
  '/dev/stderr': '/proc/self/fd/2',
  '/dev/ptmx': 'pts/ptmx',
}

/** Throws for a file that a mount would cover: the agent would not see it, and no error would be reported. */
export function checkFiles(files: readonly string[], trees: readonly string[]): void {
  for (const path of files) {
    const tree = trees.find((candidate) => isWithin(path, candidate))
    if (tree === undefined && path.startsWith('/') && !isWithin(path, ownDirectory)) continue
    throw new SandboxError(
      'EGRESS_SANDBOX_FILE',
      `Cannot create ${path} in the sandbox${tree === undefined ? '' : `: ${tree} is mounted from the host`}`,
      'Choose a path below /etc, /run or the home directory of the agent',
    )
  }
}

/** Plans every mount, directory and file of a sandbox, without side effects. */
export function planMounts(input: MountPlanInput): MountPlan {
  const { root, plan } = input
  const table = visibleMounts(input.table)
  const system = input.system.filter(({ kind }) => kind !== 'link')
  const userTrees = [...input.trees].sort((a, b) => a.path.length - b.path.length)
  const mounted = new Set(table.map(({ path }) => path))
  const tree = [
    ...system.flatMap(({ path }) => bindTree(root, table, path, path, false)),
    ...plan.scratch.map(({ path, executable }) =>
      bind(root + scratchRoot + path, root + path, [
        'nosuid',
        'nodev',
        ...(executable ? [] : ['noexec']),
        'rw',
      ]),
    ),
    ...deviceNodes.map((name) => bind(`/dev/${name}`, `${root}/dev/${name}`, ['nosuid', 'noexec', 'rw'])),
    special('devpts', `${root}/dev/pts`, 'nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,max=256'),
    special('proc', `${root}/proc`, 'nosuid,nodev,noexec'),
    ...userTrees.flatMap(({ source, path, writable }) => bindTree(root, table, source, path, writable)),
    // A directory that already is a mount point cannot be renamed either.
    ...plan.pinned
      .filter((path) => !mounted.has(path))
      .map((path) => bind(root + path, root + path, bindOptions(mountOf(table, path), true), true)),
    ...plan.readOnly.map(({ path }) =>
      bind(root + path, root + path, bindOptions(mountOf(table, path), false), true),
    ),
    ...plan.hidden.map((mask, index) => hide(root, mask, index)),
    ...Object.entries(input.files)
      .filter(([path, content]) => inScratch(path, plan) && isFixed(content))
      .map(([path]) => bind(root + path, root + path, ['ro', 'nosuid', 'nodev'])),
  ]
  const seal = [
    ...input.readOnlyProc.map((path) => bind(root + path, root + path, ['ro', 'nosuid', 'nodev', 'noexec'])),
    ...input.hiddenProc.map((mask) => hide(root, mask)),
  ]
  return { order: orderSkeleton(input, [...system, ...userTrees], tree, seal), tree, seal }
}

function orderSkeleton(
  { root, plan, ...input }: MountPlanInput,
  bound: readonly { path: string; kind: string }[],
  tree: readonly FstabEntry[],
  seal: readonly FstabEntry[],
): HelperOrder {
  const place = (path: string) => placeOf(path, plan)
  const placeKeys = (record: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(record).map(([path, value]) => [place(path), value]))
  const given = (take: (content: FileContent) => string | null) =>
    Object.fromEntries(
      Object.entries(input.files).flatMap(([path, content]): [string, string][] => {
        const taken = take(content)
        return taken === null ? [] : [[path, taken]]
      }),
    )
  const of = (kind: string) => bound.filter((item) => item.kind === kind).map(({ path }) => place(path))
  const systemLinks = input.system
    .filter(({ kind }) => kind === 'link')
    .map(({ path, link }): [string, string] => [path, link])
  const emptyFiles = [...of('file'), emptyFile, ...deviceNodes.map((name) => `/dev/${name}`)]
  return {
    root,
    directories: [
      ...[...plan.scratch.map(({ path }) => path), '/proc', '/dev/pts', emptyDirectory].map((path) => ({
        path,
        mode: '0755',
      })),
      ...plan.scratch.map(({ path, mode }) => ({ path: place(path), mode })),
      ...of('directory').map((path) => ({ path, mode: '0755' })),
    ],
    links: {
      ...Object.fromEntries(systemLinks),
      ...placeKeys(plan.links),
      ...placeKeys(given((content) => (isLink(content) ? content.link : null))),
      ...deviceLinks,
    },
    bytes: placeKeys(given((content) => (Buffer.isBuffer(content) ? content.toString('base64') : null))),
    own: placeKeys(given((content) => (isInitial(content) ? content.initial.toString('base64') : null))),
    files: {
      ...Object.fromEntries(emptyFiles.map((path) => [path, ''])),
      ...placeKeys(given((content) => (typeof content === 'string' ? content : null))),
      ...Object.fromEntries(
        plan.hidden.flatMap(({ content }, index) =>
          content === undefined ? [] : [[`${shownInstead}/${String(index)}`, content]],
        ),
      ),
      [treeFstab]: formatFstab(tree),
      [sealFstab]: formatFstab(seal),
    },
    listen: plan.listen,
  }
}

const isLink = (content: FileContent): content is { readonly link: string } =>
  typeof content === 'object' && 'link' in content

const isInitial = (content: FileContent): content is { readonly initial: Buffer } =>
  typeof content === 'object' && 'initial' in content

/** Whether the sandbox must not change a file, wherever it is. */
const isFixed = (content: FileContent) => typeof content === 'string' || Buffer.isBuffer(content)

function inScratch(path: string, { scratch }: Pick<SandboxPlan, 'scratch'>): boolean {
  return scratch.some((place) => isWithin(path, place.path))
}

/** Where to create the file for `path` while the scratch directories are not mounted yet. */
function placeOf(path: string, plan: Pick<SandboxPlan, 'scratch'>): string {
  return inScratch(path, plan) ? scratchRoot + path : path
}

/** Binds a tree with its sub-mounts, and keeps the locked options of each. */
function bindTree(
  root: string,
  table: readonly MountEntry[],
  source: string,
  path: string,
  writable: boolean,
): FstabEntry[] {
  const beneath = mountsBeneath(table, path)
  return [
    bind(source, root + path, [...bindOptions(mountOf(table, path), writable)], beneath.length > 0),
    ...beneath.map((entry) => ({
      source: 'none',
      target: root + entry.path,
      type: 'none',
      options: ['remount', 'bind', ...bindOptions(entry, writable)],
    })),
  ]
}

function bind(source: string, target: string, options: readonly string[], recursive = false): FstabEntry {
  return { source, target, type: 'none', options: [recursive ? 'rbind' : 'bind', ...options] }
}

function special(type: string, target: string, options: string): FstabEntry {
  return { source: type, target, type, options: [options] }
}

/** Path inside of the file that is shown instead of a hidden one; '' if it is an empty one. */
export function shownAs({ content }: MaskedPath, index: number): string {
  return content === undefined ? '' : `${shownInstead}/${String(index)}`
}

/**
 * Empty and readable instead of forbidden: most programs accept an empty setting, but fail on one that they cannot read.
 *
 * @param index of the file among the hidden ones, where only a part of it is shown
 */
function hide(root: string, mask: MaskedPath, index = 0): FstabEntry {
  const { path, kind } = mask
  const empty = kind === 'file' ? emptyFile : emptyDirectory
  const source = shownAs(mask, index) || empty
  return bind(root + source, root + path, ['ro', 'nosuid', 'nodev', 'noexec'])
}
