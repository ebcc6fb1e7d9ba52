import { randomBytes } from 'node:crypto'
import { chmod, cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Compiled scripts of the attacks. */
const ATTACKS = fileURLToPath(new URL('../attacks/inside/', import.meta.url))
/** The agent is not compiled; this file is in `dist/test/demo/`. */
const AGENT = fileURLToPath(new URL('../../../examples/agents/agent.mjs', import.meta.url))

/** A temporary directory: the gateway's files at its top, the sandbox's files in `work`. */
export interface Workspace {
  readonly policyPath: string
  /** The sandbox's work directory. */
  readonly workPath: string
  /** A file beside the policy that no sandbox may read. */
  readonly canaryPath: string
  /** Path of the agent, relative to the work directory. */
  readonly agent: string
  /** Path of the attack script, relative to the work directory. */
  readonly attacks: string
  write(name: string, text: string): Promise<void>
  /** Whether the gateway's files are unchanged. */
  isIntact(): Promise<boolean>
  workFiles(): Promise<string[]>
  remove(): Promise<void>
}

/** Prepares the directory. Copies the scripts, because the sandbox sees nothing else of this machine. */
export async function createWorkspace(
  policy: string,
  ca: string,
  secrets: Readonly<Record<string, string>> = {},
): Promise<Workspace> {
  const root = await mkdtemp(join(tmpdir(), 'egress-demo-'))
  const workPath = join(root, 'work')
  const canaryPath = join(root, 'canary.txt')
  const policyPath = join(root, 'egress.yaml')
  const dotenv = Object.entries(secrets)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
  const kept = {
    [canaryPath]: randomBytes(16).toString('hex'),
    [policyPath]: policy,
    [join(root, 'ca.pem')]: ca,
    ...(Object.keys(secrets).length === 0 ? {} : { [join(root, '.env')]: dotenv }),
  }
  for (const [path, text] of Object.entries(kept)) await writeFile(path, text, { mode: 0o600 })
  await mkdir(workPath)
  // If root starts it, the sandbox has another user; the directory above keeps all other users out.
  await chmod(workPath, 0o777)
  await cp(ATTACKS, join(workPath, 'attacks'), { recursive: true })
  await cp(AGENT, join(workPath, 'agent.mjs'))
  return {
    policyPath,
    workPath,
    canaryPath,
    agent: 'agent.mjs',
    attacks: 'attacks/main.mjs',
    write: (name, text) => writeFile(join(workPath, name), text),
    isIntact: async () => {
      const now = await Promise.all(Object.keys(kept).map((path) => readFile(path, 'utf8').catch(() => '')))
      return Object.values(kept).every((text, index) => text === now[index])
    },
    workFiles: () => readdir(workPath),
    remove: () => rm(root, { recursive: true, force: true }),
  }
}
