import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { loadBundle } from '../start/bundle.js'

/** Options of Node with which the program is started, by `egress` and by `sandbox-run`: compiled code fits only its own. */
const NODE_OPTIONS = [[], ['--max-semi-space-size=4']]

/** What most policies have, so that the code for it is compiled. */
const POLICY = `services:
  github: { use: github, owner: acme, project: app }
allow:
  - { host: pypi.org, methods: [GET] }
`

/** They may fail: not every machine that builds can make a sandbox. The one that runs the most is first. */
const COMMANDS = [
  ['run', '--', 'true'],
  ['explain', 'GET', 'https://api.github.com/user'],
  ['check'],
  ['init', 'other.yaml'],
  ['logs'],
  ['presets'],
]

/** Runs commands of a new bundle: each stores what V8 has compiled, so that the next start need not compile it again. */
export function trainBundle(root: string): void {
  const directory = mkdtempSync(join(tmpdir(), 'egress-bundle-'))
  try {
    // A sandbox that root starts has another user.
    chmodSync(directory, 0o755)
    writeFileSync(join(directory, 'egress.yaml'), POLICY)
    const env = { PATH: process.env['PATH'], HOME: directory, GITHUB_TOKEN: randomBytes(20).toString('hex') }
    const options = { cwd: directory, env, stdio: 'ignore', timeout: 60_000 } as const
    for (const nodeOptions of NODE_OPTIONS) {
      const start = (...words: string[]) => spawnSync(process.execPath, [...nodeOptions, ...words], options)
      for (const command of COMMANDS) start(`${root}dist/src/main.js`, ...command)
      start(fileURLToPath(import.meta.url), root)
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Stores the rest, of which no command above makes use. */
function loadEverything(root: string): void {
  const bundle = loadBundle(root)
  for (const chunk of bundle?.chunks() ?? []) bundle?.load(chunk)
  bundle?.saveCache()
}

const [, started, root] = process.argv
if (started === fileURLToPath(import.meta.url) && root !== undefined) loadEverything(root)
