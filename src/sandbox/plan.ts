import { changeEnvironment, type EnvironmentChanges } from '../common/environment-changes.js'
import { SANDBOX_HOSTNAME } from '../common/own-names.js'
import { NSS_DATABASE, NSS_SOURCE } from '../trust/clients.js'
import { agentHome, sharedEtcFiles } from './etc-files.js'
import { withSeeds } from './home-seeds.js'
import { homeVariables } from './home-variables.js'
import type { UnixUser } from './identity.js'
import { directoriesAbove, isWithin } from './paths.js'
import type { ListenRequest, SandboxLimits } from './spec.js'

/** A hidden path inside a tree that is shown. */
export interface MaskedPath {
  path: string
  kind: 'directory' | 'file'
  /** the content to show instead of the file's own; default: an empty file */
  content?: string
}

/** A file or directory of a writable tree that the sandbox may read and not write. */
export interface ReadOnlyPath {
  path: string
  kind: 'directory' | 'file'
}

/** A name that must not be created: the backend creates it, shows it read-only, and removes it at the end. */
export interface ReservedPath {
  path: string
  kind: 'directory' | 'file'
  /** of a file */
  content: string
}

/** A directory or file of the host, shown at its own path. */
export interface ShownTree {
  path: string
  kind: 'directory' | 'file'
  writable: boolean
}

/** A writable directory in memory, removed with the sandbox. */
export interface ScratchPlace {
  path: string
  /** octal */
  mode: string
  /** whether it belongs to the sandbox's user instead of root */
  own: boolean
  /** whether programs may be started from it */
  executable: boolean
  /** bytes; null: the value of the limit `tmp` */
  bytes: number | null
}

/** IPv4 addresses of the gateway and of the sandbox. */
export interface SandboxAddresses {
  resolver: string
  gateway: string
  /** the sandbox's own address */
  own: string
}

/**
 * A complete sandbox as plain data: visible and hidden files, writable directories, limits, environment and addresses. A
 * backend carries it out and decides none of it, so that no backend hides less than another.
 */
export interface SandboxPlan {
  /** `sb-` and ten hexadecimal digits */
  id: string
  hostname: string
  /** argument vector */
  command: readonly string[]
  workdir: string
  /** one of the shown trees; null: the home directory is in memory */
  home: string | null
  /** outermost first */
  shown: readonly ShownTree[]
  /** symbolic links to create: path -> target */
  links: Readonly<Record<string, string>>
  hidden: readonly MaskedPath[]
  /** outermost first; a hidden path may be inside one */
  readOnly: readonly ReadOnlyPath[]
  /** names that must not be created, outermost first; they are also in `readOnly` */
  reserved: readonly ReservedPath[]
  /** directories that must not be renamed or removed, outermost first */
  pinned: readonly string[]
  scratch: readonly ScratchPlace[]
  limits: SandboxLimits
  /** user id and group id inside */
  user: UnixUser
  /** the user of the host that runs the sandbox if root starts it; null: the caller, or the engine's default */
  runAs: UnixUser | null
  environment: Readonly<Record<string, string>>
  /** variables that must not exist, even if an image sets them */
  unset: readonly string[]
  addresses: SandboxAddresses
  /** name -> address */
  hosts: Readonly<Record<string, string>>
  /** path inside -> content, read-only */
  files: Readonly<Record<string, string>>
  /** sockets to open inside on the gateway's address, for a gateway that is not in the sandbox's network */
  listen: readonly ListenRequest[]
  /** whether standard input and output are a terminal */
  terminal: boolean
}

/** The files of the host that the sandbox sees, and those that are hidden. */
export interface HostView {
  workdir: string
  /** the tree that is the home directory, and stays when the sandbox ends; null: the home directory is in memory */
  home: string | null
  shown: readonly ShownTree[]
  links: Readonly<Record<string, string>>
  hidden: readonly MaskedPath[]
  /** paths in writable trees that the sandbox must not write */
  readOnly: readonly ReadOnlyPath[]
  /** names in writable trees that the sandbox must not create */
  reserved: readonly ReservedPath[]
}

/** The request, and the values that the backend and the gateway add. */
export interface PlanInput {
  id: string
  command: readonly string[]
  view: HostView
  /** of the request */
  seeds: Readonly<Record<string, string>>
  limits: SandboxLimits
  user: UnixUser
  runAs: UnixUser | null
  /** the login shell of the sandbox's user */
  shell: string
  /** complete, except for HOME and the caller's changes */
  environment: Readonly<Record<string, string>>
  /** `--env` */
  changes: EnvironmentChanges
  addresses: SandboxAddresses
  hosts: Readonly<Record<string, string>>
  /** options of resolv.conf(5) */
  resolverOptions: string
  listen: readonly ListenRequest[]
  terminal: boolean
}

const MIB = 2 ** 20

const SCRATCH: readonly ScratchPlace[] = [
  { path: '/tmp', mode: '1777', own: false, executable: true, bytes: null },
  { path: '/var/tmp', mode: '1777', own: false, executable: true, bytes: 64 * MIB },
  { path: '/dev/shm', mode: '1777', own: false, executable: false, bytes: 64 * MIB },
  { path: '/run', mode: '0755', own: true, executable: false, bytes: 16 * MIB },
  { path: agentHome, mode: '0700', own: true, executable: true, bytes: null },
]

const byLength = (a: { path: string }, b: { path: string }) => a.path.length - b.path.length

/** Makes a plan. Pure: no side effects, and the same input gives the same plan. */
export function makePlan({
  view,
  command,
  seeds,
  environment,
  changes,
  shell,
  resolverOptions,
  ...given
}: PlanInput): SandboxPlan {
  const shown = [...view.shown].sort(byLength)
  const reserved = [...view.reserved].sort(byLength)
  const { user, addresses } = given
  const home = view.home ?? agentHome
  const seeded = withSeeds(
    command,
    seeds,
    view.home === null ? [] : [{ path: NSS_DATABASE, from: NSS_SOURCE, replace: true }],
  )
  return {
    ...given,
    command: seeded.command,
    home: view.home,
    hostname: SANDBOX_HOSTNAME,
    workdir: view.workdir,
    shown,
    links: view.links,
    hidden: view.hidden,
    readOnly: [...view.readOnly, ...reserved.map(({ path, kind }) => ({ path, kind }))].sort(byLength),
    reserved,
    pinned: pinnedDirectories(shown, [...view.hidden, ...view.readOnly, ...reserved]).filter(
      // A read-only directory is a mount point already; another one below it would be writable.
      (path) => !view.readOnly.some((directory) => isWithin(path, directory.path)),
    ),
    scratch: SCRATCH.filter(({ path }) => path !== agentHome || view.home === null),
    environment: changeEnvironment({ ...environment, ...homeVariables(home, environment['PATH']) }, changes),
    unset: Object.keys(changes).filter((name) => changes[name] === null),
    files: {
      ...sharedEtcFiles({ user, home, shell, resolver: addresses.resolver, resolverOptions }),
      ...seeded.files,
    },
  }
}

/**
 * The directories above hidden and read-only paths in writable trees, outermost first. Each becomes a mount point, because a mount point
 * cannot be renamed. Threat: an agent that renames `secrets/` to `node_modules/`, or `.git/` to `x/`, moves a hidden file to a
 * path that the next run does not hide. It could also move the audit log, or replace the policy.
 */
export function pinnedDirectories(
  shown: readonly ShownTree[],
  paths: readonly Pick<MaskedPath, 'path'>[],
): string[] {
  const found = paths.flatMap(({ path }) => {
    const tree = shown.filter((candidate) => isWithin(path, candidate.path)).at(-1)
    return tree?.writable === true ? directoriesAbove(path, tree.path) : []
  })
  return [...new Set(found)].sort((a, b) => a.length - b.length)
}
