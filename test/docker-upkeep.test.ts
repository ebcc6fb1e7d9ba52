import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { docker, DockerGateway, skipWithoutDocker } from './fixtures/docker.js'
import { collect } from './fixtures/run.js'

// What operators do to a gateway on Docker, and what happens to it: upgrades, another user, lost settings, a restarted machine.

t.setTimeout(1_200_000)

const SANDBOX_RUN = fileURLToPath(new URL('../../sandbox-run', import.meta.url))

const DOTENV = 'API_TOKEN=0123456789abcdef0123\n'

const POLICY = `
services:
  api:
    url: http://api.test.example
    allow_plaintext: true
    allow_private_addresses: true
    credential: { bearer: "\${API_TOKEN}" }
    rules: [{ allow: GET /** }]
agents:
  ci: { services: [api] }
`

void t.test('upkeep on Docker', { skip: skipWithoutDocker() }, async (t) => {
  const gateway = new DockerGateway(POLICY, {}, DOTENV)
  t.teardown(() => gateway.down())
  await gateway.up()
  await gateway.upstream('api.test.example')
  const running = (name: string) => docker('inspect', '--format', '{{.State.Running}}', name)
  const recreate = (...services: string[]) =>
    gateway.compose('up', '-d', '--force-recreate', '--wait', '--wait-timeout', '120', ...services)

  await t.test('the doctor takes an agent where the policy has no default', async (t) => {
    t.match(await gateway.run('--doctor'), { code: 125, stderr: 'Choose one with --agent: ci' })
    const { code, stdout, stderr } = await gateway.run('--doctor', '--agent', 'ci', '--json')
    t.match(stdout, '"held":true', stderr)
    t.ok(code === 0 || code === 1, 'the checks ran')
  })

  await t.test('closed streams are empty ones', async (t) => {
    const shell = (command: string) => startFromShell(gateway, command)
    t.match(await shell('sandbox-run --agent ci -- true <&-'), { code: 0 })
    t.match(await shell('sandbox-run --agent ci -- echo lost >&-'), { code: 0, stdout: '' })
    t.match(await shell('sandbox-run --agent ci -- sh -c "exit 7" 2>&-'), { code: 7, stderr: '' })
    t.match(await shell('sandbox-run --agent ci -- echo shown <&-'), { code: 0, stdout: 'shown\n' })
  })

  for (const services of [['proxy'], ['dns'], []])
    await t.test(
      `a run goes on over an upgrade of ${services[0] ?? 'both'}, and its end is recorded`,
      async (t) => {
        const before = (await gateway.seen()).length
        const loop =
          'until [ -e stop ]; do curl -s -o /dev/null --noproxy "*" -m 2 http://api.test.example/loop; sleep 0.2; done; exit 3'
        const child = gateway.start(['--agent', 'ci', '--', 'sh', '-c', loop])
        const ended = collect(child)
        await until(async () => (await gateway.seen()).length > before)
        const old = await docker('inspect', '--format', '{{.Id}}', gateway.container('proxy'))
        await recreate(...services)
        if (services[0] !== 'dns')
          t.not(
            await docker('inspect', '--format', '{{.Id}}', gateway.container('proxy')),
            old,
            'it was replaced',
          )
        const count = (await gateway.seen()).length
        await until(async () => (await gateway.seen()).length > count + 3)
        writeFileSync(join(gateway.work, 'stop'), '')
        t.match(await ended, { code: 3 })
        rmSync(join(gateway.work, 'stop'))
        t.strictSame(await gateway.networksLeft(), [])
        await until(
          async () => (await docker('exec', gateway.container('proxy'), 'egress-admin', 'list')) === '',
        )
        const ends = (await gateway.records()).filter((record) =>
          JSON.stringify(record).includes('"sandbox-end"'),
        )
        t.match(ends.at(-1), { process: { exit_code: 3 } }, 'with its exit code')
      },
    )

  await t.test('an end during an upgrade is recorded, too', async (t) => {
    const child = gateway.start([
      '--agent',
      'ci',
      '--',
      'sh',
      '-c',
      'until [ -e stop ]; do sleep 0.1; done; exit 5',
    ])
    const ended = collect(child)
    await until(async () => (await gateway.networks()).length === 1)
    await until(async () => (await docker('exec', gateway.container('proxy'), 'egress-admin', 'list')) !== '')
    await gateway.compose('rm', '-s', '-f', 'proxy')
    writeFileSync(join(gateway.work, 'stop'), '')
    t.match(await ended, { code: 5 })
    rmSync(join(gateway.work, 'stop'))
    await recreate()
    await until(async () => (await docker('exec', gateway.container('proxy'), 'egress-admin', 'list')) === '')
    const ends = (await gateway.records()).filter((record) =>
      JSON.stringify(record).includes('"sandbox-end"'),
    )
    t.match(ends.at(-1), { process: { exit_code: 5 } })
  })

  await t.test('what a restart of the machine leaves is removed', async (t) => {
    const proxy = gateway.container('proxy')
    // A registration and a directory as they were made before: only the name of the boot tells.
    const id = 'sb-0123456789'
    const owner = `${randomUUID()}/pid:[4026531836]/4242/99`
    const registration = {
      id,
      agent: 'ci',
      subnet: '10.230.0.8/29',
      command: 'agent',
      boot: randomUUID(),
      placeholders: {},
    }
    const living = { ...registration, id: 'sb-9876543210', subnet: '10.230.0.16/29', boot: bootId() }
    for (const one of [registration, living])
      await docker(
        ...['exec', proxy, 'node', '-e', 'fs.writeFileSync(process.argv[1], process.argv[2])'],
        ...[`/var/lib/egress/shared/sandboxes/${one.subnet.replace('/29', '.json')}`, JSON.stringify(one)],
      )
    const TMPDIR = t.testdir({
      'egress-run.before': { owner: `${owner}\n` },
      'egress-run.other': { owner: 'elsewhere/0/1/2\n' },
    })
    await docker('restart', proxy)
    await until(async () => !(await docker('exec', proxy, 'egress-admin', 'list')).includes(id))
    t.match(await docker('exec', proxy, 'egress-admin', 'list'), living.id, 'what is of this boot stays')
    const records = (await gateway.records()).map((record) => JSON.stringify(record))
    t.ok(
      records.some((record) => record.includes('"sandbox-end"') && record.includes(id)),
      'its end is recorded',
    )
    t.equal((await collect(gateway.start(['--agent', 'ci', '--', 'true'], { TMPDIR }))).code, 0)
    await until(() => Promise.resolve(readdirSync(TMPDIR).length === 1))
    t.strictSame(readdirSync(TMPDIR), ['egress-run.other'], 'what may be of another machine stays')
    await docker('exec', proxy, 'rm', '/var/lib/egress/shared/sandboxes/10.230.0.16.json')
  })

  await t.test('a file that the gateway cannot read is named by the run', async (t) => {
    const secrets = join(gateway.directory, '.env')
    chmodSync(secrets, 0o600)
    await docker('restart', gateway.container('proxy'))
    const { code, stderr } = await gateway.run('--agent', 'ci', '--', 'true')
    t.equal(code, 125)
    t.match(stderr, /\.env:1:1: Cannot read the file \(EACCES\)\n.*its number is 1000/)
    chmodSync(secrets, 0o644)
    await recreate()
    t.equal((await gateway.run('--agent', 'ci', '--', 'true')).code, 0)
  })

  await t.test('no policy where one was is an error that says what is missing', async (t) => {
    gateway.env['EGRESS_POLICY_DIR'] = t.testdir({})
    const up = gateway.compose('up', '-d', '--wait', '--wait-timeout', '20')
    await t.rejects(up, 'compose says that it is not healthy')
    const { code, stderr } = await gateway.run('--agent', 'ci', '--', 'true')
    t.equal(code, 125)
    t.match(stderr, `set EGRESS_POLICY_DIR to ${gateway.directory}`)
    gateway.env['EGRESS_POLICY_DIR'] = gateway.directory
    await gateway.compose('up', '-d', '--wait', '--wait-timeout', '120')
    t.equal((await gateway.run('--agent', 'ci', '--', 'true')).code, 0)
  })

  await t.test(
    'another EGRESS_UID: its error names both users, and the command that it names helps',
    async (t) => {
      Object.assign(gateway.env, { EGRESS_UID: '1234', EGRESS_GID: '1234' })
      await t.rejects(gateway.compose('up', '-d', '--wait', '--wait-timeout', '20'))
      const { stderr } = await gateway.run('--agent', 'ci', '--', 'true')
      t.match(stderr, 'belongs to user 1000, and the gateway runs as user 1234')
      t.match(stderr, 'docker compose run --rm own-volumes')
      await gateway.compose('run', '--rm', '-T', 'own-volumes')
      await recreate()
      t.equal(await running(gateway.container('dns')), 'true')
      const { stdout } = await gateway.run(
        '--agent',
        'ci',
        '--',
        'curl',
        '-s',
        'http://api.test.example/again',
      )
      t.match(stdout, 'from api.test.example')
    },
  )
})

void t.test('a gateway of any user, from the image as it is', { skip: skipWithoutDocker() }, async (t) => {
  const gateway = new DockerGateway(POLICY, { EGRESS_UID: '4321', EGRESS_GID: '4321' }, DOTENV)
  t.teardown(() => gateway.down())
  await gateway.up()
  await gateway.upstream('api.test.example')
  const { stdout, stderr } = await gateway.run(
    '--agent',
    'ci',
    '--',
    'curl',
    '-s',
    'http://api.test.example/x',
  )
  t.match(stdout, 'from api.test.example', stderr)
  const id = await docker(
    'exec',
    gateway.container('proxy'),
    'stat',
    '-c',
    '%u %a',
    '/var/lib/egress/audit-key/audit-key.pem',
  )
  t.equal(id, '4321 600')
})

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
}

/** sandbox-run from a shell line, which can close its streams. */
function startFromShell(gateway: DockerGateway, line: string) {
  const script = `sandbox-run() { ${SANDBOX_RUN} "$@"; }; ${line}`
  return collect(
    spawn('bash', ['-c', script], { cwd: gateway.work, env: gateway.env, stdio: ['ignore', 'pipe', 'pipe'] }),
  )
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 300; tries += 1) {
    if (await condition().catch(() => false)) return
    await sleep(200)
  }
  throw new Error('it never came to that')
}
