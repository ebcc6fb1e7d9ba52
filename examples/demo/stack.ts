import { execFile } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { chown, readdir } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Workspace } from './workspace.js'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const execute = promisify(execFile)

/** User of the gate in docker-compose.yml. */
const GATE_USER = 1000

/** A gate of containers for one demo. */
export interface Stack {
  /** The environment by which Compose and sandbox-run find it. */
  readonly environment: Readonly<Record<string, string>>
  down(): Promise<void>
}

/** Starts docker-compose.yml under a name of its own, with the policy and the secrets beside it. */
export async function startStack(workspace: Workspace): Promise<Stack> {
  const directory = dirname(workspace.policyPath)
  if (process.getuid?.() === 0) {
    // What only root may read, the gate could not.
    const names = (await readdir(directory)).map((name) => join(directory, name))
    for (const path of [directory, ...names]) await chown(path, GATE_USER, GATE_USER)
  }
  const agents = `10.${String(randomInt(232, 255))}.${String(randomInt(256))}`
  const environment = {
    COMPOSE_PROJECT_NAME: `egress-demo-${String(randomInt(1e6))}`,
    EGRESS_POLICY_DIR: directory,
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
    throw new Error(`the gate did not come up:\n${stdout}`, { cause })
  }
  return { environment, down }
}

/** A private address of this machine that containers reach, and where the stand-ins listen for them: mostly a bridge. */
export function hostAddress(): string {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
  const own = addresses.find(
    ({ internal, address }) => !internal && /^(10|172\.(1[6-9]|2\d|3[01])|192\.168)\.[\d.]+$/.test(address),
  )
  if (own === undefined) throw new Error('this machine has no private address that a container could reach')
  return own.address
}
