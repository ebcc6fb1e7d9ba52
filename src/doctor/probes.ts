import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { lookup } from 'node:dns/promises'
import { networkInterfaces } from 'node:os'
import { answered, askName, get, sendUdp, tryTcp } from './attempts.js'
import { engineAdvisory } from './advisories.js'
import type { DoctorFacts, Finding } from './report.js'

export interface Probe {
  readonly title: string
  readonly exposes: string
  readonly fix: string
  run(facts: DoctorFacts): Promise<ProbeResult> | ProbeResult
}

type ProbeResult = Pick<Finding, 'held' | 'found'>

const GATEWAY_DOWN = 'nothing: agents cannot work'
const LOOK_AT_GATEWAY = 'see whether the gateway runs: `docker compose ps`, `docker compose logs`'
const START_BY_SANDBOX_RUN = 'start agents with ./sandbox-run, and report this with the version of the engine'
const OUTSIDE = ['1.1.1.1', '8.8.8.8'] as const

/** What a sandbox must be able to do, and then what it must not. */
export const PROBES: readonly Probe[] = [
  gatewayProbe('the resolver answers', () => askName(nameServer(), 'localhost'), /^NOERROR 1$/),
  gatewayProbe('the resolver denies', () => askName(nameServer(), 'unlisted.invalid'), /^NXDOMAIN/),
  gatewayProbe('port 80 checks', () => get('egress', 80, '/', 'unlisted.invalid'), /urn:egress:/),
  gatewayProbe('port 443 listens', () => tryTcp('egress', 443), /^connected$/),
  gatewayProbe(
    'port 3128 checks',
    () => get('egress', 3128, 'http://unlisted.invalid/', 'unlisted.invalid'),
    /urn:egress:/,
  ),
  gatewayProbe('port 9199 checks', () => get('egress', 9199, '/unlisted', 'egress:9199'), /urn:egress:/),
  {
    title: 'no route',
    exposes: 'every address outside: the gateway is optional',
    fix: START_BY_SANDBOX_RUN,
    // Engine 20.10 sets a gateway that nobody is: what counts is that nobody answers.
    run: async () => assess(await all(OUTSIDE.map((host) => tryTcp(host, 443)))),
  },
  {
    title: 'the host, on every address',
    exposes: 'databases, debuggers and engines that listen on 0.0.0.0 of the host',
    fix: 'the network needs com.docker.network.bridge.inhibit_ipv4=true; ./sandbox-run sets it',
    run: async ({ hosts }) => {
      const own = addressesOf('IPv4')[0] ?? ''
      const gateway = own.replace(/\d+$/, (last) => String(Number(last) - (Number(last) % 8) + 1))
      const names = [...hosts, ...(own === '' ? [] : [gateway])]
      return assess(await all(names.flatMap((host) => [22, 80, 2375].map((port) => tryTcp(host, port)))))
    },
  },
  {
    title: 'host.docker.internal',
    exposes: 'the host by its name in Docker Desktop',
    fix: 'take --add-host host.docker.internal out of the options',
    run: async () => {
      const found = await lookup('host.docker.internal').then(
        ({ address }) => address,
        () => 'no such name',
      )
      return { held: !/^\d/.test(found), found }
    },
  },
  {
    title: 'no IPv6',
    exposes: 'the link-local address of the host, which no IPv4 setting closes',
    fix: 'set net.ipv6.conf.all.disable_ipv6=1 in the sandbox; ./sandbox-run does',
    run: () => {
      const found = addressesOf('IPv6')
      return { held: found.length === 0, found: found.join(' ') || 'no address' }
    },
  },
  {
    title: 'other sandboxes and networks',
    exposes: 'other agents, and the gateway under another identity',
    fix: 'give every agent a network of its own',
    run: async ({ others }) => assess(await all(others.map((host) => tryTcp(host, 80)))),
  },
  {
    title: 'other resolvers: UDP, TCP, DoT, DoH',
    exposes: 'data in names, to whoever owns a zone',
    fix: START_BY_SANDBOX_RUN,
    run: async () =>
      assess(
        await all([
          ...OUTSIDE.map((host) => askName(host, 'example.com')),
          ...OUTSIDE.flatMap((host) => [53, 853, 443].map((port) => tryTcp(host, port))),
        ]),
      ),
  },
  {
    title: 'the engine’s resolver 127.0.0.11',
    exposes: 'data in names, by the host’s resolver (CVE-2024-29018)',
    fix: 'update the engine to 26.1.3 or later',
    run: async () => {
      const found = await askName('127.0.0.11', 'example.com')
      return { held: !/^NOERROR [1-9]/.test(found), found }
    },
  },
  {
    title: 'cloud metadata',
    exposes: 'the machine’s own credentials',
    fix: START_BY_SANDBOX_RUN,
    run: async () => assess(await all([tryTcp('169.254.169.254', 80), tryTcp('100.100.100.200', 80)])),
  },
  {
    title: 'QUIC and other UDP',
    exposes: 'HTTP/3 around the proxy',
    fix: START_BY_SANDBOX_RUN,
    run: async () =>
      assess(await all(OUTSIDE.map((host) => sendUdp(host, 443, Buffer.from('probe'), () => 'answered')))),
  },
  {
    title: 'ICMP and raw packets',
    exposes: 'tunnels in packets that no proxy reads',
    fix: 'drop CAP_NET_RAW: --cap-drop ALL',
    run: () => {
      const raw = (BigInt(`0x${statusOf('CapEff')}`) >> 13n) & 1n
      return { held: raw === 0n, found: raw === 0n ? 'no raw sockets, no route' : 'raw sockets' }
    },
  },
  {
    title: 'no capabilities, no new privileges, system calls filtered',
    exposes: 'the larger half of the kernel',
    fix: 'run with --cap-drop ALL --security-opt no-new-privileges, and the engine’s seccomp profile',
    run: () => {
      const sets = ['CapEff', 'CapPrm', 'CapBnd', 'CapAmb', 'CapInh'].map(statusOf)
      const flags = `NoNewPrivs ${statusOf('NoNewPrivs')}, Seccomp ${statusOf('Seccomp')}`
      return {
        held: sets.every((set) => /^0+$/.test(set)) && flags === 'NoNewPrivs 1, Seccomp 2',
        found: flags,
      }
    },
  },
  {
    title: 'not root',
    exposes: 'whatever a mistake elsewhere leaves to root',
    fix: 'run as another user: --user 1000:1000',
    run: () => ({ held: process.getuid?.() !== 0, found: `uid ${String(process.getuid?.())}` }),
  },
  {
    title: 'read-only root',
    exposes: 'system files, for whoever runs them next',
    fix: 'run with --read-only',
    run: () => {
      const open = ['/', '/usr', '/etc', '/bin', '/var'].filter(isWritable)
      return {
        held: open.length === 0,
        found: open.length === 0 ? 'nothing writable' : `writable: ${open.join(' ')}`,
      }
    },
  },
  {
    title: 'no engine socket',
    exposes: 'the engine, and so root on the host',
    fix: 'take the mount of docker.sock away',
    run: () =>
      absent([
        '/var/run/docker.sock',
        '/run/docker.sock',
        '/run/containerd/containerd.sock',
        '/run/podman/podman.sock',
      ]),
  },
  {
    title: 'no secrets, no CA key',
    exposes: 'the real credentials, or the key that signs for every host',
    fix: 'mount neither the gateway’s volumes nor its secrets',
    run: () => {
      const files = [
        '/run/secrets',
        '/var/lib/egress/authority/authority.key',
        '/etc/egress/egress.yaml',
        '/etc/egress/.env',
      ]
      const keys = readdirOrNone('/etc/egress').filter((name) => name.endsWith('.key'))
      return keys.length > 0 ? { held: false, found: keys.join(' ') } : absent(files)
    },
  },
  {
    title: 'files to hide that appear during a run',
    exposes: 'a secret that is written, renamed or replaced while an agent runs',
    fix: 'namespaces: install Perl; Docker: let the engine start privileged containers from the gateway’s image',
    run: ({ lateFiles }) => ({ held: lateFiles === null, found: lateFiles ?? 'are hidden' }),
  },
  {
    title: 'engine version',
    exposes: 'a known hole of the engine',
    fix: 'update it to 26.1.3 or later',
    run: ({ engine }) => {
      if (engine === null) return { held: true, found: 'no engine: namespaces' }
      const advisory = engineAdvisory(engine)
      return { held: advisory === null, found: advisory === null ? engine : `${engine}: ${advisory}` }
    },
  },
]

export async function runProbes(facts: DoctorFacts): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const { title, exposes, fix, ...probe } of PROBES)
    findings.push({ title, exposes, fix, ...(await probe.run(facts)) })
  return findings
}

function gatewayProbe(title: string, ask: () => Promise<string>, expected: RegExp): Probe {
  return {
    title,
    exposes: GATEWAY_DOWN,
    fix: LOOK_AT_GATEWAY,
    run: async () => {
      const said = await ask()
      const held = expected.test(said)
      return { held, found: held ? 'yes' : said.split('\r\n')[0] || 'no answer' }
    },
  }
}

const all = (attempts: readonly Promise<string>[]) => Promise.all(attempts)

/** Nobody answered, by whatever way. */
function assess(results: readonly string[]): ProbeResult {
  const bad = results.filter(
    (result) => answered(result) || /^(answered|NOERROR|NXDOMAIN|REFUSED|SERVFAIL)/.test(result),
  )
  const kinds = [...new Set(bad.length > 0 ? bad : results)]
  return {
    held: bad.length === 0,
    found: `${String(results.length)} tried: ${kinds.join(', ') || 'none to try'}`,
  }
}

function absent(paths: readonly string[]): ProbeResult {
  const there = paths.filter((path) => existsSync(path))
  return { held: there.length === 0, found: there.length === 0 ? 'none' : there.join(' ') }
}

function nameServer(): string {
  return (
    readLines('/etc/resolv.conf')
      .find((line) => line.startsWith('nameserver '))
      ?.slice(11) ?? ''
  )
}

function addressesOf(family: 'IPv4' | 'IPv6'): string[] {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
  return addresses.filter((one) => one.family === family && !one.internal).map(({ address }) => address)
}

function statusOf(field: string): string {
  return (
    readLines('/proc/self/status')
      .find((line) => line.startsWith(`${field}:`))
      ?.split(/\s+/)[1] ?? ''
  )
}

function isWritable(directory: string): boolean {
  const path = `${directory}/egress-doctor-${String(process.pid)}`
  try {
    writeFileSync(path, '')
    rmSync(path)
    return true
  } catch {
    return false
  }
}

function readLines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n')
  } catch {
    return []
  }
}

function readdirOrNone(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}
