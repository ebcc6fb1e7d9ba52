import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startModelApis } from '../../servers/agents/start.js'
import type { Stage } from './drive-agent.js'
import { Project } from './world.js'

const MAIN = fileURLToPath(new URL('../../../src/main.js', import.meta.url))

/** Agents that are installed here, in sandboxes of namespaces. */
export async function onNamespaces(): Promise<Stage & { close(): Promise<void> }> {
  const project = new Project()
  const apis = await startModelApis(project.task, project.key)
  const policy = join(project.root, 'policy.yaml')
  writeFileSync(join(project.root, 'ca.pem'), apis.ca)
  writeFileSync(policy, project.policy(apis.port))
  return {
    backend: 'namespaces',
    project,
    command: [process.execPath, MAIN, 'run', '--policy', policy],
    env: {
      ...project.secrets,
      PATH: process.env['PATH'] ?? '',
      HOME: project.home,
      LANG: 'C.UTF-8',
      EGRESS_AUDIT_DIR: join(project.root, 'audit'),
    },
    asked: () => Promise.resolve(apis.asked),
    close: async () => {
      await apis.close()
      project.remove()
    },
  }
}

/** Null if a program is installed, otherwise why an agent cannot be driven. */
export function lacks(program: string): string | null {
  try {
    execFileSync('sh', ['-c', 'command -v "$1" && command -v tmux', 'sh', program], { stdio: 'ignore' })
    return null
  } catch {
    return `${program} or tmux is not installed`
  }
}
