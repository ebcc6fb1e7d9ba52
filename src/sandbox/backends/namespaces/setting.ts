import { statSync } from 'node:fs'
import { agentEnvironment } from './agent-script.js'
import { agentId } from '../../etc-files.js'
import { checkHost } from './host-check.js'
import { hideIn, viewTrees } from '../../host-view.js'
import { findTool } from './host-tools.js'
import { chooseUser } from '../../identity.js'
import { showRepository } from '../../repository.js'
import { makePlan, type SandboxPlan } from '../../plan.js'
import { pathInside, resolveCommand } from './resolve-command.js'
import { SandboxError } from '../../sandbox-error.js'
import type { SandboxSpec } from '../../spec.js'
import { checkAccess } from './staging.js'
import { listSystemFiles } from './system-files.js'

const LOOPBACK = '127.0.0.1'

export interface NamespacesPlan {
  plan: SandboxPlan
  /** warnings for the operator, one line each */
  warnings: string[]
  /** what the user should know about the files that the sandbox sees, one line each */
  notes: readonly string[]
}

/**
 * The plan of a sandbox of namespaces on this host: it sees the host's own system files, so PATH and the command are looked
 * up among them. Throws a SandboxError.
 */
export async function planNamespaces(id: string, spec: SandboxSpec): Promise<NamespacesPlan> {
  const obstacle = await checkHost()
  if (obstacle) throw obstacle
  if (spec.limits.processors !== null) {
    throw new SandboxError(
      'EGRESS_SANDBOX_LIMIT',
      'The namespaces backend cannot limit processors',
      'Remove --limit cpus, or add --backend docker',
    )
  }
  const asked = viewTrees(spec)
  const runAs = chooseUser({
    uid: process.getuid?.() ?? 0,
    sudoUid: process.env.SUDO_UID,
    sudoGid: process.env.SUDO_GID,
    owner: statSync(asked.workdir),
  })
  const { trees, notes } = showRepository(asked, runAs)
  const system = systemTrees()
  const visible = [...trees.shown.map(({ path }) => path), ...system]
  const path = process.env.PATH ?? ''
  const { warning } = resolveCommand({
    command: spec.command[0] ?? '',
    workdir: trees.workdir,
    path,
    trees: visible,
  })
  if (runAs) checkAccess(trees.workdir, trees.shown, runAs)
  const shell = findTool('bash') ?? '/bin/sh'
  const plan = makePlan({
    id,
    command: spec.command,
    view: hideIn(trees, { masked: spec.masked, policies: spec.policies, systemTrees: system, runAs }),
    seeds: spec.seeds ?? {},
    limits: spec.limits,
    user: { uid: agentId, gid: agentId },
    runAs,
    shell,
    environment: agentEnvironment({
      caller: process.env,
      product: spec.env,
      path: pathInside(path, visible),
      shell,
    }),
    changes: spec.changes ?? {},
    addresses: { resolver: LOOPBACK, gateway: LOOPBACK, own: LOOPBACK },
    hosts: spec.hosts,
    // The gateway answers every query immediately, so a second attempt would only delay the error.
    resolverOptions: 'timeout:5 attempts:1',
    listen: spec.listen,
    terminal: spec.terminal,
  })
  const noScript =
    'No job control in the sandbox, because script(1) is not installed (Debian: bsdutils, Fedora: util-linux-script)'
  const warnings = [
    ...(warning === null ? [] : [warning]),
    ...(spec.terminal && findTool('script') === null ? [noScript] : []),
  ]
  return { plan, warnings, notes }
}

/** The trees of the host that every sandbox sees. */
export function systemTrees(): string[] {
  return listSystemFiles()
    .filter(({ kind }) => kind !== 'link')
    .map(({ path }) => path)
}
