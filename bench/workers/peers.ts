import { spawn, spawnSync } from 'node:child_process'
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CertificateAuthority } from '#test/servers/certificate-authority.js'
import { findProgram } from './find-program.js'
import { freePort } from '#test/servers/free-port.js'
import { untilOpen } from './nginx.js'
import type { Worker } from './processes.js'

// Other proxies, each with one process, no cache and no log: what they are compared with checks and records every request.

export type Peer = Worker<number>

interface Described {
  readonly args: readonly string[]
  /** By name, in the directory of the program. */
  readonly files?: Readonly<Record<string, string>>
  readonly user?: { readonly uid: number; readonly gid: number } | null
  readonly env?: Readonly<Record<string, string>>
}

async function start(
  program: string | null,
  describe: (port: number, directory: string) => Described,
): Promise<Peer | null> {
  if (program === null) return null
  const directory = mkdtempSync(join(tmpdir(), 'egress-peer-'))
  const port = await freePort()
  const { args, files = {}, user = null, env = {} } = describe(port, directory)
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text)
  if (user !== null) chownSync(directory, user.uid, user.gid)
  const child = spawn(program, args, { stdio: 'ignore', env: { ...process.env, ...env }, ...user })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  await untilOpen(port)
  return {
    pid: child.pid ?? 0,
    ready: port,
    stop: async () => {
      child.kill('SIGKILL')
      await ended
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** As a forward proxy for these ports of loopback. */
export function startSquid(ports: readonly number[]): Promise<Peer | null> {
  return start(findProgram('squid'), (port, directory) => ({
    args: ['-N', '-n', `bench${String(port)}`, '-f', join(directory, 'squid.conf')],
    user: squidUser(),
    files: {
      'squid.conf': [
        `http_port 127.0.0.1:${String(port)}`,
        `acl open port ${ports.map(String).join(' ')}`,
        'http_access allow open',
        'http_access deny all',
        'cache deny all',
        'access_log none',
        `cache_log ${join(directory, 'cache.log')}`,
        `pid_filename ${join(directory, 'squid.pid')}`,
        `coredump_dir ${directory}`,
        '',
      ].join('\n'),
    },
  }))
}

/** Whether Squid was built with what ends TLS. */
export function squidBumps(): boolean {
  const program = findProgram('squid')
  return program !== null && versionText(program, ['-v']).includes('--with-openssl')
}

export function startTinyproxy(): Promise<Peer | null> {
  return start(findProgram('tinyproxy'), (port, directory) => ({
    args: ['-d', '-c', join(directory, 'tinyproxy.conf')],
    files: {
      'tinyproxy.conf': `Port ${String(port)}\nListen 127.0.0.1\nMaxClients 600\nLogLevel Critical\nLogFile "/dev/null"\n`,
    },
  }))
}

/** Ends the TLS of everything that comes through CONNECT. */
export function startMitmproxy(): Promise<Peer | null> {
  return start(findProgram('mitmdump'), (port, directory) => ({
    args: [
      ...['--listen-host', '127.0.0.1', '--listen-port', String(port), '-q'],
      ...['--set', 'ssl_insecure=true', '--set', `confdir=${directory}`, '--set', 'stream_large_bodies=1m'],
    ],
  }))
}

/** iron-proxy, which the user has built: its listener for CONNECT. */
export async function startIron(
  program: string | null,
  authority: CertificateAuthority,
): Promise<Peer | null> {
  const others = [await freePort(), await freePort(), await freePort()].map(
    (port) => `"127.0.0.1:${String(port)}"`,
  )
  return start(program, (port, directory) => {
    const of = (name: string) => join(directory, name)
    const config = `dns: { listen: ${others[0] ?? ''}, proxy_ip: "127.0.0.1" }
proxy: { http_listen: ${others[1] ?? ''}, https_listen: ${others[2] ?? ''}, tunnel_listen: "127.0.0.1:${String(port)}" }
tls: { ca_cert: "${of('mint.pem')}", ca_key: "${of('mint.key')}" }
transforms:
  - { name: allowlist, config: { domains: [localhost], cidrs: [127.0.0.0/8] } }
`
    const subject = ['-subj', '/CN=bench', '-addext', 'basicConstraints=critical,CA:TRUE']
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
    spawnSync('openssl', [
      'req',
      '-x509',
      ...key,
      '-keyout',
      of('mint.key'),
      '-out',
      of('mint.pem'),
      ...subject,
    ])
    return {
      args: ['-config', of('iron.yaml')],
      files: { 'iron.yaml': config, 'upstream.pem': authority.pem },
      env: { SSL_CERT_FILE: of('upstream.pem') },
    }
  })
}

/** Squid refuses to run as root; Debian's package has a user for it. */
function squidUser(): { uid: number; gid: number } | null {
  if (process.getuid?.() !== 0) return null
  const id = (flag: string) => Number(spawnSync('id', [flag, 'proxy'], { encoding: 'utf8' }).stdout)
  return { uid: id('-u'), gid: id('-g') }
}

/** What is compared, with the options that print each version. */
const VERSIONS: readonly (readonly [name: string, program: string, option: string])[] = [
  ['nginx', 'nginx', '-v'],
  ['nghttpx', 'nghttpx', '--version'],
  ['squid', 'squid', '-v'],
  ['tinyproxy', 'tinyproxy', '-v'],
  ['mitmproxy', 'mitmdump', '--version'],
  ['dnsmasq', 'dnsmasq', '--version'],
  ['unbound', 'unbound', '-V'],
  ['coredns', 'coredns', '-version'],
  ['h2load', 'h2load', '--version'],
  ['dnsperf', 'dnsperf', '-h'],
]

/** A line for each program, which may say that it is not installed. */
export function versions(): string[] {
  return VERSIONS.map(([name, program, option]) => {
    const path = findProgram(program)
    const number = path === null ? null : /\d+\.\d+(?:\.\d+)?/.exec(versionText(path, [option]))?.[0]
    return `${name} ${path === null ? 'not installed' : (number ?? 'of an unknown version')}`
  })
}

function versionText(program: string, args: readonly string[]): string {
  const { stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  return `${stdout}${stderr}`
}
