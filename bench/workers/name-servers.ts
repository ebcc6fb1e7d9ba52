import { spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findProgram } from './find-program.js'
import { freePort } from '#test/servers/free-port.js'
import type { Worker } from './processes.js'

/** dnsmasq with one address for all names and no upstream; null if it is not installed. */
export function startDnsmasq(names: readonly string[]): Promise<Worker<number> | null> {
  return start('dnsmasq', (port) => ({
    configuration: [
      `port=${String(port)}`,
      'listen-address=127.0.0.1',
      'bind-interfaces',
      'no-resolv',
      'no-hosts',
      'no-daemon',
      'user=',
      ...names.map((name) => `address=/${name}/192.0.2.53`),
    ].join('\n'),
    args: (file) => [`--conf-file=${file}`],
  }))
}

/** unbound with one thread and the names as local data; null if it is not installed. */
export function startUnbound(names: readonly string[]): Promise<Worker<number> | null> {
  return start('unbound', (port) => ({
    configuration: `server:
  interface: 127.0.0.1@${String(port)}
  port: ${String(port)}
  do-daemonize: no
  use-syslog: no
  chroot: ""
  username: ""
  pidfile: ""
  num-threads: 1
  access-control: 127.0.0.0/8 allow
  module-config: "iterator"
  local-zone: "." static
${names.map((name) => `  local-data: "${name}. 30 IN A 192.0.2.53"`).join('\n')}
remote-control:
  control-enable: no
`,
    args: (file) => ['-d', '-c', file],
  }))
}

/** CoreDNS with the names as a file of hosts; null if it is not installed. */
export function startCoredns(names: readonly string[]): Promise<Worker<number> | null> {
  return start('coredns', (port) => ({
    configuration: `.:${String(port)} {
  bind 127.0.0.1
  hosts {
${names.map((name) => `    192.0.2.53 ${name}`).join('\n')}
  }
}`,
    args: (file) => ['-conf', file, '-quiet'],
  }))
}

async function start(
  name: string,
  describe: (port: number) => { configuration: string; args: (file: string) => string[] },
): Promise<Worker<number> | null> {
  const program = findProgram(name)
  if (program === null) return null
  const directory = mkdtempSync(join(tmpdir(), `egress-${name}-`))
  const port = await freePort()
  const { configuration, args } = describe(port)
  const file = join(directory, 'conf')
  writeFileSync(file, `${configuration}\n`)
  const child = spawn(program, args(file), { stdio: 'ignore' })
  await untilAnswered(name, port)
  return {
    pid: child.pid ?? 0,
    ready: port,
    stop: () =>
      new Promise((resolve) => {
        child.once('exit', () => {
          rmSync(directory, { recursive: true, force: true })
          resolve()
        })
        child.kill()
      }),
  }
}

/** A query for the root, which every server answers in some way. */
const PROBE = Buffer.from('000101000001000000000000' + '00' + '00020001', 'hex')

async function untilAnswered(name: string, port: number): Promise<void> {
  const socket = createSocket('udp4')
  socket.on('error', () => undefined)
  try {
    for (let tries = 0; tries < 100; tries += 1) {
      const answered = new Promise<boolean>((resolve) => {
        socket.once('message', () => resolve(true))
        setTimeout(() => resolve(false), 50)
      })
      socket.send(PROBE, port, '127.0.0.1', () => undefined)
      if (await answered) return
    }
  } finally {
    socket.close()
  }
  throw new Error(`${name} is not responding`)
}
