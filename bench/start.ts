import { spawn, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { DockerGate, ensureImages, SANDBOX_IMAGE } from '../test/support/docker.js'
import { collect } from '../test/support/run.js'

// What a sandbox of the Docker backend costs over a bare `docker run` with the same limits, taken in turns; and how long
// the gate is away when one of its containers restarts.

const ROUNDS = Number(process.env['ROUNDS'] ?? 11)
const SANDBOX_RUN = fileURLToPath(new URL('../../sandbox-run', import.meta.url))

/** The flags of sandbox-run that an engine has to act on. */
const BARE = [
  ...[
    'run',
    '--rm',
    '--init',
    '--cap-drop',
    'ALL',
    '--read-only',
    '--user',
    '1000:1000',
    '--network',
    'none',
  ],
  ...['--security-opt', 'no-new-privileges:true', '--pids-limit', '512', '--memory', '4g', '--cpus', '1'],
  ...[
    '--ipc',
    'private',
    '--log-driver',
    'none',
    '--tmpfs',
    '/tmp',
    '--tmpfs',
    '/run',
    SANDBOX_IMAGE,
    'true',
  ],
]

function millisecondsOf(command: string, words: readonly string[], env: NodeJS.ProcessEnv): number {
  const started = performance.now()
  const { status, stderr } = spawnSync(command, words, { env, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command}: ${stderr}`)
  return performance.now() - started
}

const median = (values: readonly number[]) =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
const show = (what: string, value: number) =>
  console.log(`${what.padEnd(44)} ${value.toFixed(0).padStart(6)} ms`)

await ensureImages()
const gate = new DockerGate('allow: [{ host: api.test.example }]\n')
try {
  await gate.up()
  const env = { ...process.env, ...gate.env, PWD: gate.work }
  const bare: number[] = []
  const whole: number[] = []
  for (let round = 0; round < ROUNDS; round += 1) {
    bare.push(millisecondsOf('docker', BARE, process.env))
    whole.push(millisecondsOf(SANDBOX_RUN, ['--workdir', gate.work, '--', 'true'], env))
  }
  show('docker run, median', median(bare))
  show('sandbox-run, median', median(whole))
  show('overhead, median of the pairs', median(whole.map((value, round) => value - (bare[round] ?? 0))))
  for (const role of ['proxy', 'dns'] as const) {
    spawnSync('docker', ['restart', gate.container(role)])
    const back = performance.now()
    const isReady = async () => (await collect(probe(gate.container(role)))).code === 0
    while (!(await isReady()));
    show(`${role}: from its start to ready`, performance.now() - back)
  }
} finally {
  await gate.down()
}

function probe(container: string) {
  return spawn('docker', ['exec', container, 'egress-admin', 'health'], { stdio: 'ignore' })
}
