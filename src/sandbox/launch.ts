import { readFileSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { signalAgent } from './agent-process.js'
import { agentEnvironment, formatAgentScript, type AgentTools } from './agent-script.js'
import { generateEtc } from './etc-files.js'
import { checkHost } from './host-check.js'
import { findTool } from './host-tools.js'
import { chooseUser } from './identity.js'
import { formatInitScript, formatStartScript } from './init-script.js'
import { findMaskedPaths, hideClosedDirectories, maskExplicit } from './masked-paths.js'
import { parseMountinfo } from './mount-table.js'
import { checkFiles, launchScript, planSandbox } from './plan.js'
import { rememberTerminal, startProcessTree, type AgentDescriptors } from './process-tree.js'
import { findProcFiles } from './proc-files.js'
import { pathInside, resolveCommand } from './resolve-command.js'
import { resolveMounts } from './resolve-mounts.js'
import { SandboxError } from './sandbox-error.js'
import type { Sandbox, SandboxFiles, SandboxSpec } from './spec.js'
import { checkAccess, stage, withoutStaging } from './staging.js'
import { filterInstaller } from './syscall-filter.js'
import { listSystemFiles } from './system-files.js'

/**
 * Builds a sandbox out of Linux namespaces and returns it with its sockets open and its agent not yet started. Nothing is
 * written outside the sandbox's own memory, so nothing is left behind however it ends. Throws a SandboxError.
 */
export async function launchSandbox(
  spec: SandboxSpec,
  descriptors: AgentDescriptors = [0, 1, 2],
): Promise<Sandbox> {
  const obstacle = await checkHost()
  if (obstacle) throw obstacle

  const { workdir, mounts, links } = resolveMounts(spec.workdir, spec.mounts, spec.writable)
  const system = listSystemFiles()
  const trees = [...mounts, ...system.filter(({ kind }) => kind !== 'link')].map(({ path }) => path)
  const callerPath = process.env.PATH ?? ''
  const { warning } = resolveCommand({ command: spec.command[0] ?? '', workdir, path: callerPath, trees })

  const identity = chooseUser({
    uid: process.getuid?.() ?? 0,
    sudoUid: process.env.SUDO_UID,
    sudoGid: process.env.SUDO_GID,
    owner: statSync(workdir),
  })
  if (identity) checkAccess(workdir, mounts, identity)
  const staging = identity ? stage(mounts, process.execPath) : withoutStaging(mounts, process.execPath)

  const script = spec.terminal ? findTool('script') : null
  const shell = findTool('bash') ?? '/bin/sh'
  const agent = formatAgentScript({
    command: spec.command,
    workdir,
    environment: agentEnvironment({
      caller: process.env,
      product: spec.env,
      path: pathInside(callerPath, trees),
      shell,
    }),
    limits: spec.limits,
    tools: agentTools(),
    filter: filterPrefix(),
    leaveTerminal: script === null,
  })
  const directories = mounts.filter(({ kind }) => kind === 'directory')
  const masks = [
    ...directories.flatMap(({ path }) => findMaskedPaths(path)),
    ...maskExplicit(spec.masked, trees),
  ]
  const planWith = (files: SandboxFiles) => {
    checkFiles(Object.keys(files), trees)
    return planSandbox({
      root: staging.root,
      table: parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8')),
      system,
      mounts: staging.mounts,
      masks: identity ? hideClosedDirectories(masks, trees, identity) : masks,
      links,
      ...findProcFiles(),
      files: { ...generateEtc({ hosts: spec.hosts, shell, workdir }), ...files, [launchScript]: agent },
      listen: spec.listen,
    })
  }

  const restoreTerminal = spec.terminal ? rememberTerminal() : () => undefined
  const helper = readFileSync(fileURLToPath(new URL('./socket-helper.js', import.meta.url)), 'utf8')
  const tree = await startProcessTree({
    init: formatInitScript({
      root: staging.root,
      node: staging.node,
      helper,
      tmpBytes: spec.limits.tmpBytes,
    }),
    order: async () => planWith(typeof spec.files === 'function' ? await spec.files() : spec.files).order,
    staging: identity && staging.script !== null ? { script: staging.script, identity } : null,
    keepsTerminal: script !== null,
    descriptors,
  })
  const noScript =
    'script(1) is missing (Debian: bsdutils, Fedora: util-linux-script): no job control in the sandbox'
  return {
    sockets: tree.sockets,
    warnings: [
      ...(warning === null ? [] : [warning]),
      ...(spec.terminal && script === null ? [noScript] : []),
    ],
    start: () => tree.finishScript(formatStartScript(script)),
    signal: (name) => signalAgent(tree.pid, script !== null, name),
    exit: tree.exit.finally(restoreTerminal),
    kill: tree.kill,
  }
}

function agentTools(): AgentTools {
  return { env: tool('env'), prlimit: tool('prlimit'), setpriv: tool('setpriv'), setsid: tool('setsid') }
}

function filterPrefix(): string[] {
  const prefix = filterInstaller(process.arch, { perl: findTool('perl'), python: findTool('python3') })
  if (prefix === null)
    throw new SandboxError('EGRESS_SANDBOX_TOOLS', 'no system call filter', 'install perl or python3')
  return prefix
}

function tool(name: string): string {
  const found = findTool(name)
  if (found === null)
    throw new SandboxError('EGRESS_SANDBOX_TOOLS', `${name} is missing`, 'install util-linux')
  return found
}
