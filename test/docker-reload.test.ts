import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { eventually } from './fixtures/eventually.js'
import { docker, DockerGateway, skipWithoutDocker, tryDocker } from './fixtures/docker.js'

// A change of policy in the two containers of Compose, under a sandbox that keeps running.

t.setTimeout(600_000)

const entry = (host: string) =>
  `  - { host: ${host}, scheme: http, methods: [GET], paths: ["/**"], allow_private_addresses: true }\n`
const policyOf = (...hosts: string[]) => `allow:\n${hosts.map(entry).join('')}`

void t.test('reload on Docker', { skip: skipWithoutDocker() }, async (t) => {
  const gateway = new DockerGateway(policyOf('one.test.example'))
  t.teardown(() => gateway.down())
  await gateway.up()
  await gateway.upstream('one.test.example', 'two.test.example')
  const write = (text: string) => writeFileSync(join(gateway.directory, 'egress.yaml'), text)
  const reload = () => tryDocker('exec', gateway.container('proxy'), 'egress', 'reload')
  const since = (role: 'dns' | 'proxy') =>
    docker('inspect', '--format', '{{.State.StartedAt}}', gateway.container(role))
  const started = [await since('dns'), await since('proxy')]

  // One sandbox for all of it: it asks for both hosts, by name and without the proxy's environment, again and again.
  const ask = (host: string) =>
    `$(env -u http_proxy -u HTTP_PROXY curl -s -m 5 -o /dev/null -w '%{http_code}' http://${host}.test.example/)`
  const child = gateway.start([
    '--',
    'sh',
    '-c',
    `while :; do echo "${ask('one')} ${ask('two')}"; sleep 0.2; done`,
  ])
  t.teardown(() => child.kill())
  let seen = ''
  child.stdout?.on('data', (chunk: Buffer) => (seen += chunk.toString()))
  /** Whether the sandbox comes to get these answers; 000 stands for a name that does not exist. */
  const gets = (line: string) => {
    seen = ''
    return eventually(() => seen.includes(`${line}\n`), 30_000)
  }
  t.ok(await gets('200 000'), 'the first policy lists one host')

  await t.test('egress reload puts a new policy in force in both containers', async (t) => {
    write(policyOf('one.test.example', 'two.test.example'))
    t.match(await reload(), { code: 0 })
    t.ok(await gets('200 200'))
  })

  await t.test('a bad policy is rejected with its line, and changes nothing', async (t) => {
    write('allow:\n  - { host: "*.com" }\n')
    t.match(await reload(), { code: 1, stderr: /egress\.yaml:2:\d+: `\*\.com` is/ })
    t.ok(await gets('200 200'))
    t.match(
      (await gateway.records()).filter((record) => JSON.stringify(record).includes('policy-rejected')),
      [{ event: { action: 'policy-rejected' } }],
    )
  })

  await t.test('docker compose kill -s HUP proxy does the same', async (t) => {
    write(policyOf('two.test.example'))
    await gateway.compose('kill', '-s', 'HUP', 'proxy')
    t.ok(await gets('000 200'))
  })

  t.strictSame([await since('dns'), await since('proxy')], started, 'neither container was started again')
})
