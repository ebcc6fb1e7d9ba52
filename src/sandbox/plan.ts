import { agentHome, sandboxHostname, sharedEtcFiles } from './etc-files.js'
import type { UnixUser } from './identity.js'
import { directoriesAbove, isWithin } from './paths.js'
import type { ListenRequest, SandboxLimits } from './spec.js'

/** A path that the sandbox does not see, though it lies in a tree that is shown. */
export interface MaskedPath {
  path: string
  kind: 'directory' | 'file'
}

/** A directory or file of the host's, shown at its own path. */
export interface ShownTree {
  path: string
  kind: 'directory' | 'file'
  writable: boolean
}

/** A writable place in memory that ends with the sandbox. */
export interface ScratchPlace {
  path: string
  /** octal */
  mode: string
  /** whether it belongs to the sandbox's user instead of root */
  own: boolean
  /** whether programs may be started from it */
  executable: boolean
  /** bytes; null: as the limit `tmp` says */
  bytes: number | null
}

/** Where the sandbox finds the gateway; IPv4. */
export interface SandboxAddresses {
  resolver: string
  gateway: string
  /** the sandbox's own address */
  own: string
}

/**
 * All that a sandbox is, as plain data: what it sees, what is hidden from it, where it may write, its limits, environment and
 * addresses. A backend carries it out and decides none of it, so that no backend hides less than another.
 */
export interface SandboxPlan {
  /** `sb-` and ten hexadecimal digits */
  id: string
  hostname: string
  /** argument vector */
  command: readonly string[]
  workdir: string
  /** outermost first */
  shown: readonly ShownTree[]
  /** symbolic links to create: path -> target */
  links: Readonly<Record<string, string>>
  hidden: readonly MaskedPath[]
  /** directories that must not be renamed or removed, outermost first */
  pinned: readonly string[]
  scratch: readonly ScratchPlace[]
  limits: SandboxLimits
  /** user id and group id inside */
  user: UnixUser
  /** the host's user that the sandbox runs as where root starts it, null: the caller, or as the engine has it */
  runAs: UnixUser | null
  environment: Readonly<Record<string, string>>
  addresses: SandboxAddresses
  /** name -> address */
  hosts: Readonly<Record<string, string>>
  /** path inside -> content, read-only */
  files: Readonly<Record<string, string>>
  /** sockets to open inside on the gateway's address, where the gateway has no network of its own in there */
  listen: readonly ListenRequest[]
  /** whether standard input and output are a terminal */
  terminal: boolean
}

/** What was found on the host. */
export interface HostView {
  workdir: string
  shown: readonly ShownTree[]
  links: Readonly<Record<string, string>>
  hidden: readonly MaskedPath[]
}

/** What was asked for, and what the chosen backend and the gateway bring with them. */
export interface PlanInput {
  id: string
  command: readonly string[]
  view: HostView
  limits: SandboxLimits
  user: UnixUser
  runAs: UnixUser | null
  /** the login shell of the sandbox's user */
  shell: string
  /** complete but for what belongs to the sandbox's user */
  environment: Readonly<Record<string, string>>
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

/** Puts a plan together. Touches nothing; the same input gives the same plan. */
export function makePlan({ view, environment, shell, resolverOptions, ...given }: PlanInput): SandboxPlan {
  const shown = [...view.shown].sort((a, b) => a.path.length - b.path.length)
  return {
    ...given,
    hostname: sandboxHostname,
    workdir: view.workdir,
    shown,
    links: view.links,
    hidden: view.hidden,
    pinned: pinnedDirectories(shown, view.hidden),
    scratch: SCRATCH,
    environment: { HOME: agentHome, ...environment },
    files: sharedEtcFiles({ user: given.user, shell, resolver: given.addresses.resolver, resolverOptions }),
  }
}

/**
 * The directories that lead to something hidden in a tree that may be written to, outermost first. Each becomes a mount, and
 * what is a mount cannot be renamed. Threat: an agent that moves `secrets/` to `node_modules/`, or `.git/` to `x/`, leaves a
 * hidden file where the next run does not look for it; moves the audit log away; puts a policy in the place of ours.
 */
export function pinnedDirectories(shown: readonly ShownTree[], hidden: readonly MaskedPath[]): string[] {
  const found = hidden.flatMap(({ path }) => {
    const tree = shown.filter((candidate) => isWithin(path, candidate.path)).at(-1)
    return tree?.writable === true ? directoriesAbove(path, tree.path) : []
  })
  return [...new Set(found)].sort((a, b) => a.length - b.length)
}
