import type { Sandbox, SandboxSpec } from './spec.js'
import { accessSync, existsSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { agentEnvironment, formatAgentScript } from './agent-script.js'
import { generateEtc } from './etc-files.js'
import { findTool } from './host-tools.js'
import { findMaskedPaths, maskExplicit } from './masked-paths.js'
import { parseMountinfo } from './mount-table.js'
import { launchScript, planSandbox } from './plan.js'
import { resolveMounts } from './resolve-mounts.js'
import { startProcessTree } from './process-tree.js'
import { listSystemFiles } from './system-files.js'

export async function launchSandbox(spec: SandboxSpec): Promise<Sandbox> {
  const { workdir, mounts, links } = resolveMounts(spec.workdir, spec.mounts, spec.writable)
  const system = listSystemFiles()
  const masks = mounts.filter((m) => m.kind === 'directory').flatMap((m) => findMaskedPaths(m.path))
  masks.push(
    ...maskExplicit(
      spec.masked,
      [...mounts, ...system].map((m) => m.path),
    ),
  )
  const environment = agentEnvironment({
    caller: process.env,
    product: spec.env,
    path: '/usr/bin:/bin',
    shell: '/bin/bash',
  })
  const script = spec.terminal ? findTool('script') : null
  const tools = {
    env: '/usr/bin/env',
    prlimit: '/usr/bin/prlimit',
    setpriv: '/usr/bin/setpriv',
    setsid: '/usr/bin/setsid',
  }
  const agent = formatAgentScript({
    command: spec.command,
    workdir,
    environment,
    limits: spec.limits,
    tools,
    leaveTerminal: script === null,
  })
  const plan = planSandbox({
    root: '/sys',
    table: parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8')),
    system,
    mounts,
    masks,
    links,
    hiddenProc: ['/proc/kcore', '/proc/keys', '/proc/key-users', '/proc/timer_list', '/proc/kallsyms']
      .filter((p) => existsSync(p))
      .map((path) => ({ path, kind: 'file' as const })),
    readOnlyProc: ['/proc/sys', '/proc/irq', '/proc/bus', '/proc/fs', '/proc/sysrq-trigger'].filter((p) =>
      existsSync(p),
    ),
    files: {
      ...generateEtc({ hosts: spec.hosts, shell: '/bin/bash', workdir }),
      ...spec.files,
      [launchScript]: agent,
    },
    limits: spec.limits,
    listen: spec.listen,
  })
  return startProcessTree({
    plan,
    script,
    node: process.execPath,
    tmpBytes: spec.limits.tmpBytes,
    terminal: spec.terminal,
  })
}
