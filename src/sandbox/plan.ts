import { formatFstab, type FstabEntry } from './fstab.js'
import type { HelperOrder } from './helper-messages.js'
import {
  bindOptions,
  directoriesAbove,
  isWithin,
  mountOf,
  mountsBeneath,
  visibleMounts,
  type MountEntry,
} from './mount-table.js'
import type { ExtraMount, SandboxSpec } from './spec.js'
import { SandboxError } from './sandbox-error.js'
import type { SystemFile } from './system-files.js'
import { agentHome } from './etc-files.js'

/** A work directory or extra mount, looked up on the host. */
export interface ResolvedMount extends ExtraMount {
  kind: 'directory' | 'file'
  /** where to bind it from, which differs from `path` where root has staged it */
  source: string
}

export interface MaskedPath {
  path: string
  kind: 'directory' | 'file'
}

export interface PlanInput {
  /** where the new root is mounted while it is being built */
  root: string
  table: readonly MountEntry[]
  system: readonly SystemFile[]
  mounts: readonly ResolvedMount[]
  masks: readonly MaskedPath[]
  /** path inside -> content: /etc, the caller's files, the agent's start script */
  files: Readonly<Record<string, string>>
  links: Readonly<Record<string, string>>
  /** which of the files of /proc that are to be hidden exist here */
  hiddenProc: readonly MaskedPath[]
  readOnlyProc: readonly string[]
  listen: SandboxSpec['listen']
}

export interface Plan {
  order: HelperOrder
  /** everything that is mounted on the new root */
  tree: FstabEntry[]
  /** what must come last, because the steps before still write there */
  seal: FstabEntry[]
}

/** Where the launcher keeps its own few files inside. */
export const ownDirectory = '/.sandbox'
export const launchScript = `${ownDirectory}/launch`
const emptyFile = `${ownDirectory}/hidden-file`
const emptyDirectory = `${ownDirectory}/hidden-directory`
/** Where the writable tmpfs is mounted while the root is being built. */
export const scratchRoot = `${ownDirectory}/scratch`
export const treeFstab = `${ownDirectory}/tree.fstab`
export const sealFstab = `${ownDirectory}/seal.fstab`

/** Writable places that die with the sandbox: one tmpfs, so that one limit holds for all of them. */
const scratchPlaces = [
  { path: '/tmp', mode: '1777' },
  { path: '/var/tmp', mode: '1777' },
  { path: '/dev/shm', mode: '1777' },
  { path: '/run', mode: '0755' },
  { path: agentHome, mode: '0755' },
]

const deviceNodes = ['null', 'zero', 'full', 'random', 'urandom', 'tty']

const deviceLinks: Record<string, string> = {
  '/dev/fd': '/proc/self/fd',
  '/dev/stdin': '/proc/self/fd/0',
  '/dev/stdout': '/proc/self/fd/1',
  '/dev/stderr': '/proc/self/fd/2',
  '/dev/ptmx': 'pts/ptmx',
}

/** A file that a mount would cover is an error: the agent would not have it, and nothing would tell. */
export function checkFiles(files: readonly string[], trees: readonly string[]): void {
  for (const path of files) {
    const tree = trees.find((candidate) => isWithin(path, candidate))
    if (tree === undefined && path.startsWith('/') && !isWithin(path, ownDirectory)) continue
    throw new SandboxError(
      'EGRESS_SANDBOX_FILE',
      `${path} cannot be written inside${tree === undefined ? '' : `: ${tree} is mounted from the host`}`,
      'choose a path below /etc, /run or the home directory of the agent',
    )
  }
}

/** Orders every mount, directory and file of a sandbox; nothing is touched here. */
export function planSandbox(input: PlanInput): Plan {
  const { root, masks } = input
  const system = input.system.filter(({ kind }) => kind !== 'link')
  const userMounts = [...input.mounts].sort((a, b) => a.path.length - b.path.length)
  const tree = [
    ...system.flatMap(({ path }) => bindTree(input, path, path, false)),
    ...scratchPlaces.map(({ path }) =>
      bind(root + scratchRoot + path, root + path, ['nosuid', 'nodev', 'rw']),
    ),
    ...deviceNodes.map((name) => bind(`/dev/${name}`, `${root}/dev/${name}`, ['nosuid', 'noexec', 'rw'])),
    special('devpts', `${root}/dev/pts`, 'nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,max=256'),
    special('proc', `${root}/proc`, 'nosuid,nodev,noexec'),
    ...userMounts.flatMap(({ source, path, writable }) => bindTree(input, source, path, writable)),
    ...pinnedDirectories(userMounts, input).map((path) =>
      bind(root + path, root + path, bindOptions(mountOf(input.table, path), true), true),
    ),
    ...masks.map((mask) => hide(root, mask)),
    ...Object.keys(input.files)
      .filter((path) => inScratch(path))
      .map((path) => bind(root + path, root + path, ['ro', 'nosuid', 'nodev'])),
  ]
  const seal = [
    ...input.readOnlyProc.map((path) => bind(root + path, root + path, ['ro', 'nosuid', 'nodev', 'noexec'])),
    ...input.hiddenProc.map((mask) => hide(root, mask)),
  ]
  return { order: orderSkeleton(input, [...system, ...userMounts], tree, seal), tree, seal }
}

function orderSkeleton(
  input: PlanInput,
  bound: readonly { path: string; kind: string }[],
  tree: readonly FstabEntry[],
  seal: readonly FstabEntry[],
): HelperOrder {
  const of = (kind: string) => bound.filter((item) => item.kind === kind).map(({ path }) => place(path))
  const systemLinks = input.system
    .filter(({ kind }) => kind === 'link')
    .map(({ path, link }): [string, string] => [path, link])
  const emptyFiles = [...of('file'), emptyFile, ...deviceNodes.map((name) => `/dev/${name}`)]
  return {
    root: input.root,
    directories: [
      ...[...scratchPlaces.map(({ path }) => path), '/proc', '/dev/pts', emptyDirectory].map((path) => [
        path,
        '0755',
      ]),
      ...scratchPlaces.map(({ path, mode }) => [place(path), mode]),
      ...of('directory').map((path) => [path, '0755']),
    ].map(([path = '', mode = '']) => ({ path, mode })),
    links: { ...Object.fromEntries(systemLinks), ...placeKeys(input.links), ...deviceLinks },
    files: {
      ...Object.fromEntries(emptyFiles.map((path) => [path, ''])),
      ...placeKeys(input.files),
      [treeFstab]: formatFstab(tree),
      [sealFstab]: formatFstab(seal),
    },
    listen: input.listen,
  }
}

function inScratch(path: string): boolean {
  return scratchPlaces.some((place) => isWithin(path, place.path))
}

/** Where to create something that will stand at `path`, while the scratch places are not mounted yet. */
function place(path: string): string {
  return inScratch(path) ? scratchRoot + path : path
}

function placeKeys(record: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(record).map(([path, value]) => [place(path), value]))
}

/** The whole tree with its sub-mounts, and each of them under its own locked flags. */
function bindTree({ root, table }: PlanInput, source: string, path: string, writable: boolean): FstabEntry[] {
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

/**
 * The directories that lead to something hidden in a tree that may be written to, outermost first. Each becomes a mount, and
 * what is a mount cannot be renamed. Threat: an agent that moves `secrets/` to `node_modules/`, or `.git/` to `x/`, leaves a
 * hidden file where the next run does not look for it; moves the audit log away; puts a policy in the place of ours.
 */
function pinnedDirectories(mounts: readonly ResolvedMount[], { masks, table }: PlanInput): string[] {
  const found = masks.flatMap(({ path }) => {
    const tree = mounts.filter((mount) => isWithin(path, mount.path)).at(-1)
    return tree?.writable === true ? directoriesAbove(path, tree.path) : []
  })
  const mounted = new Set(visibleMounts(table).map(({ path }) => path))
  return [...new Set(found)].filter((path) => !mounted.has(path)).sort((a, b) => a.length - b.length)
}

function bind(source: string, target: string, options: readonly string[], recursive = false): FstabEntry {
  return { source, target, type: 'none', options: [recursive ? 'rbind' : 'bind', ...options] }
}

function special(type: string, target: string, options: string): FstabEntry {
  return { source: type, target, type, options: [options] }
}

/** Empty and readable rather than forbidden: most programs take an absent setting well and a refused one badly. */
function hide(root: string, { path, kind }: MaskedPath): FstabEntry {
  return bind(root + (kind === 'file' ? emptyFile : emptyDirectory), root + path, [
    'ro',
    'nosuid',
    'nodev',
    'noexec',
  ])
}
