import { spawn, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { DockerGateway, ensureImages, SANDBOX_IMAGE } from '#test/fixtures/docker.js'
import { collect } from '#test/fixtures/run.js'
import { printStartTable } from './workers/start-table.js'

// `true` beside other sandboxes: time, processor time, memory. Then the overhead of a Docker sandbox over a plain `docker run` with the same options, in turns; and how long the gateway is
// unavailable while one of its containers restarts.

const ROUNDS = Number(process.env['ROUNDS'] ?? 11)
const SANDBOX_RUN = fileURLToPath(new URL('../../sandbox-run', import.meta.url))

/** The options that sandbox-run gives to `docker run`, without those of a single run, in an existing network. */
function bareRun(project: string, network: string, work: string): string[] {
  const volume = (target: string) =>
    `type=volume,source=${project}_certificates,target=${target},readonly,volume-nocopy`
  const bind = (source: string, target: string) => `type=bind,source=${source},target=${target},readonly`
  const temporary = 'rw,exec,nosuid,nodev'
  return [
    ...'run --rm --init --interactive --sig-proxy=false --hostname sandbox --dns 192.0.2.53 --dns-search .'.split(
      ' ',
    ),
    ...['--network', network, '--add-host', 'egress:192.0.2.1', '--add-host', 'egress-dns:192.0.2.53'],
    ...'--cap-drop ALL --security-opt no-new-privileges:true --read-only --user 1000:1000'.split(' '),
    ...'--pids-limit 512 --memory 4g --memory-swap 4g --cpus 1 --ulimit nofile=4096:4096 --ulimit core=0:0'.split(
      ' ',
    ),
    ...'--ipc private --cgroupns private --shm-size 64m --log-driver none --no-healthcheck'.split(' '),
    ...['/tmp', '/var/tmp', '/run', '/home/agent'].flatMap((path) => [
      '--tmpfs',
      `${path}:${temporary},size=64m`,
    ]),
    ...[
      bind('/etc/resolv.conf', '/etc/resolv.conf'),
      bind('/etc/passwd', '/etc/passwd'),
      bind('/etc/group', '/etc/group'),
    ]
      .concat(['/etc/ssl/certs', '/etc/pki/tls/certs', '/etc/egress'].map(volume), bind(work, work))
      .flatMap((mount) => ['--mount', mount]),
    ...['all', 'default'].flatMap((name) => ['--sysctl', `net.ipv6.conf.${name}.disable_ipv6=1`]),
    ...['--workdir', work, '--entrypoint', 'true', SANDBOX_IMAGE],
  ]
}

function millisecondsOf(command: string, args: readonly string[], env: NodeJS.ProcessEnv): number {
  const started = performance.now()
  const { status, stderr } = spawnSync(command, args, { env, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command}: ${stderr}`)
  return performance.now() - started
}

const median = (values: readonly number[]) =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
const show = (what: string, value: number) =>
  console.log(`${what.padEnd(44)} ${value.toFixed(0).padStart(6)} ms`)

await printStartTable(ROUNDS, SANDBOX_IMAGE)
if (spawnSync('docker', ['version'], { stdio: 'ignore' }).status !== 0) process.exit()
await ensureImages()
const gateway = new DockerGateway('allow: [{ host: api.test.example }]\n')
try {
  await gateway.up()
  const env = { ...process.env, ...gateway.env, PWD: gateway.work }
  const bareWords = bareRun(gateway.project, `${gateway.project}_agents`, gateway.work)
  const bare: number[] = []
  const whole: number[] = []
  for (let round = 0; round < ROUNDS; round += 1) {
    bare.push(millisecondsOf('docker', bareWords, process.env))
    whole.push(millisecondsOf(SANDBOX_RUN, ['--workdir', gateway.work, '--', 'true'], env))
  }
  show('docker run, median', median(bare))
  show('sandbox-run, median', median(whole))
  show('overhead, median of the pairs', median(whole.map((value, round) => value - (bare[round] ?? 0))))
  for (const role of ['proxy', 'dns'] as const) {
    const restarted = performance.now()
    spawnSync('docker', ['restart', gateway.container(role)])
    const isReady = async () => (await collect(probe(gateway.container(role)))).code === 0
    while (!(await isReady()));
    show(`${role}: from \`docker restart\` to ready`, performance.now() - restarted)
  }
} finally {
  await gateway.down()
}

function probe(container: string) {
  return spawn('docker', ['exec', container, 'egress-admin', 'health'], { stdio: 'ignore' })
}
