import { spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chownSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { tmpdir } from 'node:os'
import { freePort } from './free-port.js'

const PROGRAM = '/usr/sbin/squid'
const BASIC_AUTH = '/usr/lib/squid/basic_ncsa_auth'

export const hasSquid = existsSync(PROGRAM) && existsSync(BASIC_AUTH)

export interface Squid {
  readonly port: number
  /** Lines of its access log: method, target and status of each request. */
  log(): readonly string[]
  stop(): Promise<void>
}

/**
 * Starts Squid on loopback in front of these names and ports, and no others, for one user.
 *
 * @param hosts addresses by name, which Squid resolves by itself
 */
export async function startSquid(
  login: { readonly user: string; readonly password: string },
  hosts: Readonly<Record<string, string>>,
  ports: readonly number[],
): Promise<Squid> {
  const directory = mkdtempSync(join(tmpdir(), 'egress-squid-'))
  const user = squidUser()
  // Its shared memory is named after it.
  const service = `egress${randomBytes(8).toString('hex')}`
  const port = await freePort()
  const passwords = join(directory, 'passwords')
  const { stdout } = spawnSync('openssl', ['passwd', '-apr1', login.password], { encoding: 'utf8' })
  writeFileSync(passwords, `${login.user}:${stdout}`)
  writeFileSync(
    join(directory, 'hosts'),
    Object.entries(hosts)
      .map(([name, address]) => `${address} ${name}\n`)
      .join(''),
  )
  const config = join(directory, 'squid.conf')
  writeFileSync(
    config,
    [
      `http_port 127.0.0.1:${String(port)}`,
      `auth_param basic program ${BASIC_AUTH} ${passwords}`,
      'auth_param basic children 1',
      'acl known proxy_auth REQUIRED',
      `acl names dstdomain ${Object.keys(hosts).join(' ')}`,
      `acl open port ${ports.map(String).join(' ')}`,
      'http_access deny !known',
      'http_access allow names open',
      'http_access deny all',
      `hosts_file ${join(directory, 'hosts')}`,
      'dns_nameservers 127.0.0.1',
      'dns_timeout 1 seconds',
      'connect_timeout 5 seconds',
      'shutdown_lifetime 0 seconds',
      `logformat short %rm %ru %>Hs`,
      `access_log stdio:${join(directory, 'access.log')} short`,
      `cache_log ${join(directory, 'cache.log')}`,
      `pid_filename ${join(directory, 'squid.pid')}`,
      `coredump_dir ${directory}`,
      'buffered_logs off',
      'cache deny all',
      'memory_pools off',
      'via on',
      '',
    ].join('\n'),
  )
  if (user !== null) chownSync(directory, user.uid, user.gid)
  const squid = spawn(PROGRAM, ['-N', '-n', service, '-f', config], { stdio: 'ignore', ...user })
  const ended = once(squid, 'exit')
  for (let tries = 0; !(await answers(port)); tries += 1) {
    if (squid.exitCode !== null || tries > 600)
      throw new Error(`squid does not start: ${readIfThere(join(directory, 'cache.log'))}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return {
    port,
    log: () => readIfThere(join(directory, 'access.log')).split('\n').filter(Boolean),
    async stop() {
      squid.kill('SIGTERM')
      await ended
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** Squid refuses to run as root; Debian's package has a user for it. */
function squidUser(): { uid: number; gid: number } | null {
  if (process.getuid?.() !== 0) return null
  const id = (flag: string) => Number(spawnSync('id', [flag, 'proxy'], { encoding: 'utf8' }).stdout)
  return { uid: id('-u'), gid: id('-g') }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}

function readIfThere(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}
