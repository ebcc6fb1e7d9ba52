import { DOTENV_FILES } from '#config/secrets/dotenv.js'
import { realpathSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { EnvironmentChanges } from '../../../common/environment-changes.js'
import { hostIn } from '../../../serve/subnet.js'
import { hideIn, viewTrees } from '../../host-view.js'
import { permits, type UnixUser } from '../../identity.js'
import { isWithin } from '../../paths.js'
import { showRepository } from '../../repository.js'
import { makePlan, type HostView, type SandboxPlan } from '../../plan.js'
import type { ShownTrees } from '../../resolve-mounts.js'
import { quoteWord } from '../../shell-quote.js'
import type { SandboxLimits, SandboxRequest } from '../../spec.js'
import type { DockerHost } from './host.js'
import type { Connection } from './network.js'
import { dockerError } from './options.js'

/** Fewer masks than with namespaces, because each one is a mount, and mounts are slow in the engine. */
const BOUNDS = { entries: 400_000, masks: 400 }

/** The user of the sandbox if root starts it; otherwise it is the caller. */
export const ORDINARY: UnixUser = { uid: 1000, gid: 1000 }

/** The container itself needs some processes. */
const MIN_PROCESSES = 8

/** Facts from the host, found out while the engine creates the network. */
export interface DockerView {
  readonly trees: ShownTrees
  readonly user: UnixUser
  /** what the user should know about the files that the sandbox sees, one line each */
  readonly notes: readonly string[]
}

/** Resolves the trees and the user of the sandbox. Throws a SandboxError. */
export function viewForDocker(request: SandboxRequest, host: DockerHost): DockerView {
  const { uid, gid } = host.facts
  const user = uid === 0 ? ORDINARY : { uid, gid }
  const { trees, notes } = showRepository(viewTrees(request), user)
  if (uid === 0 && request.writable) checkWritable(trees.workdir, user)
  const { processes } = request.limits
  if (processes < MIN_PROCESSES)
    throw dockerError(
      `--limit \`processes=${String(processes)}\` is too low: the container itself needs several processes`,
      `Use at least processes=${String(MIN_PROCESSES)}`,
    )
  return { trees, user, notes }
}

/** If root starts the agent, it runs as an ordinary user; check early that it can write to the work directory. */
function checkWritable(workdir: string, { uid, gid }: UnixUser): void {
  if (permits(statSync(workdir), { uid, gid }, 3)) return
  throw dockerError(
    `The agent cannot write to ${workdir}: when root starts it, it runs as user ${String(uid)}`,
    `Run: chown -R ${String(uid)}:${String(gid)} ${quoteWord(workdir)}, or start as an ordinary user`,
  )
}

export interface DockerPlanInput {
  readonly id: string
  readonly request: SandboxRequest
  readonly view: HostView
  readonly user: UnixUser
  readonly connection: Connection
  /** `--env` */
  readonly env: EnvironmentChanges
}

/**
 * Searches the trees for files to hide. Throws a SandboxError.
 *
 * @param policyDirectory the host directory of the gateway's policy, null if it is unknown
 */
export function hideForDocker(trees: ShownTrees, policyDirectory: string | null): HostView {
  return hideIn(trees, {
    masked: policyFiles(trees, policyDirectory),
    policies:
      policyDirectory === null
        ? []
        : ['egress.yaml', ...DOTENV_FILES].map((name) => join(policyDirectory, name)),
    systemTrees: [],
    runAs: null,
    bounds: BOUNDS,
  })
}

/** The plan of a sandbox on Docker, whose system files are those of its image. Throws a SandboxError. */
export function planForDocker({ id, request, view, user, connection, env }: DockerPlanInput): SandboxPlan {
  const { subnet, environment, processors } = connection
  checkProcessors(request.limits, processors)
  const resolver = hostIn(subnet, 'dns')
  const gateway = hostIn(subnet, 'proxy')
  return makePlan({
    id,
    command: request.command,
    view,
    seeds: request.seeds ?? {},
    // Set explicitly, because the engine may have another default.
    limits: { ...request.limits, processors: request.limits.processors ?? processors },
    user,
    runAs: null,
    shell: '/bin/sh',
    environment,
    changes: env,
    addresses: { resolver, gateway, own: hostIn(subnet, 'sandbox') },
    hosts: { egress: gateway, 'egress-dns': resolver },
    resolverOptions: 'timeout:3 attempts:2',
    listen: [],
    terminal: request.terminal,
  })
}

/** The gateway's policy and every `egress.yaml` at the top of a shown tree, if the sandbox would see them. */
function policyFiles({ shown }: ShownTrees, policyDirectory: string | null): string[] {
  const directories = [
    ...(policyDirectory === null ? [] : [policyDirectory]),
    ...shown.flatMap(({ path, kind }) => (kind === 'directory' ? [path] : [])),
  ]
  return directories
    .map((directory) => join(directory, 'egress.yaml'))
    .filter((path) => shown.some((tree) => isWithin(real(path), tree.path)))
}

function real(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}

function checkProcessors({ processors }: SandboxLimits, available: number): void {
  if (processors === null || processors <= available) return
  throw dockerError(
    `--limit cpus=${String(processors)} exceeds the number of processors (${String(available)})`,
    `Use cpus=${String(available)} or less`,
  )
}
