import { execFile } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { chown, readdir } from 'node:fs/promises'
import { isIPv4 } from 'node:net'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Workspace } from './workspace.js'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const execute = promisify(execFile)

/** User of the gateway where root starts the demo: files that only root can read are out of its reach. */
const ORDINARY = { uid: 1000, gid: 1000 }

/** A gateway in containers, for one demo. */
export interface Stack {
  /** Environment variables with which Compose and sandbox-run find it. */
  readonly environment: Readonly<Record<string, string>>
  /** Copies the gateway's audit log, which goes with its volumes, into a directory. */
  saveLog(directory: string): Promise<void>
  down(): Promise<void>
}

/** Starts docker-compose.yml under a separate project name, with its own policy and secrets. */
export async function startStack(workspace: Workspace): Promise<Stack> {
  const directory = dirname(workspace.policyPath)
  const { uid, gid } = gatewayUser()
  if (process.getuid?.() === 0) {
    const names = (await readdir(directory)).map((name) => join(directory, name))
    for (const path of [directory, ...names]) await chown(path, uid, gid)
  }
  const agents = `10.${String(randomInt(232, 255))}.${String(randomInt(256))}`
  const environment = {
    COMPOSE_PROJECT_NAME: `egress-demo-${String(randomInt(1e6))}`,
    EGRESS_POLICY_DIR: directory,
    // Whose files they are.
    EGRESS_UID: String(uid),
    EGRESS_GID: String(gid),
    EGRESS_AGENTS_SUBNET: `${agents}.240/28`,
    EGRESS_AGENTS_DNS: `${agents}.242`,
    EGRESS_AGENTS_PROXY: `${agents}.243`,
  }
  const compose = (...words: string[]) =>
    execute('docker', ['compose', ...words], { cwd: ROOT, env: { ...process.env, ...environment } })
  const down = async () => {
    await compose('down', '-v', '--timeout', '2')
  }
  try {
    await compose('up', '-d', '--wait', '--wait-timeout', '120')
  } catch (cause) {
    const { stdout } = await compose('logs', '--no-color')
    await down()
    throw new Error(`The gateway did not start:\n${stdout}`, { cause })
  }
  const saveLog = async (target: string) => {
    await compose('cp', 'proxy:/var/log/egress/.', target)
  }
  return { environment, saveLog, down }
}

function gatewayUser(): { uid: number; gid: number } {
  const { uid, gid } = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
  return uid === 0 ? ORDINARY : { uid, gid }
}

/** The host's address on the engine's default bridge: containers of every network reach it, and it is private. */
export async function hostAddress(): Promise<string> {
  const format = '{{range .IPAM.Config}}{{.Gateway}} {{end}}'
  const { stdout } = await execute('docker', ['network', 'inspect', 'bridge', '--format', format])
  const address = stdout.split(' ').find((text) => isIPv4(text))
  if (address === undefined)
    throw new Error('The engine has no default bridge, which the gateway needs to reach the mock services')
  return address
}
