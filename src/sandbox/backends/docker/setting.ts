import { realpathSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { hostIn } from '../../../serve/subnet.js'
import { hideIn, viewTrees } from '../../host-view.js'
import { permits, type UnixUser } from '../../identity.js'
import { isWithin } from '../../paths.js'
import { makePlan, type HostView, type SandboxPlan } from '../../plan.js'
import type { ShownTrees } from '../../resolve-mounts.js'
import { quoteWord } from '../../shell-quote.js'
import type { SandboxLimits, SandboxRequest } from '../../spec.js'
import type { DockerHost } from './host.js'
import type { Connection } from './network.js'
import { dockerError } from './options.js'

/** Each one is a mount, and the engine takes its time for it. */
const BOUNDS = { entries: 400_000, masks: 400 }

/** Root's agent is this user inside; whoever else starts it is itself. */
const ORDINARY: UnixUser = { uid: 1000, gid: 1000 }

/** The container itself needs some processes. */
const MIN_PROCESSES = 8

/** What is looked up on the host while the engine makes the network. */
export interface DockerView {
  readonly trees: ShownTrees
  readonly user: UnixUser
}

/** What the sandbox will see, and as whom. Throws a SandboxError. */
export function viewForDocker(request: SandboxRequest, host: DockerHost): DockerView {
  const trees = viewTrees(request)
  const { uid, gid } = host.facts
  const user = uid === 0 ? ORDINARY : { uid, gid }
  if (uid === 0 && request.writable) checkWritable(trees.workdir, user)
  const { processes } = request.limits
  if (processes < MIN_PROCESSES)
    throw dockerError(
      `--limit \`processes=${String(processes)}\` is too low: the container itself needs several processes`,
      `Use at least processes=${String(MIN_PROCESSES)}`,
    )
  return { trees, user }
}

/** Root's agent is an ordinary user, and would learn too late that it may not write. */
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
  readonly env: Readonly<Record<string, string>>
}

/**
 * Searches what is shown for what to hide. Throws a SandboxError.
 *
 * @param policyDirectory the host's directory that the gateway reads its policy from, null where that cannot be told
 */
export function hideForDocker(trees: ShownTrees, policyDirectory: string | null): HostView {
  return hideIn(trees, {
    masked: policyFiles(trees, policyDirectory),
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
    // All of them, said: with none it would be as the engine's settings have it.
    limits: { ...request.limits, processors: request.limits.processors ?? processors },
    user,
    runAs: null,
    shell: '/bin/sh',
    environment: { ...environment, ...env },
    addresses: { resolver, gateway, own: hostIn(subnet, 'sandbox') },
    hosts: { egress: gateway, 'egress-dns': resolver },
    resolverOptions: 'timeout:3 attempts:2',
    listen: [],
    terminal: request.terminal,
  })
}

/** The policy, where the gateway reads it from a directory that the sandbox sees, and any file in the place of one. */
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
