import {
  appendFileSync,
  closeSync,
  constants,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { Attempt, Brief, InsideRow } from '../brief.js'
import { attempt, inTurn, type ForwardResult } from './lib/attempt.mjs'
import { isInstalled, run } from './lib/run.mjs'

export const rows: Readonly<Record<string, InsideRow>> = {
  'file-system': { attack: leaveFileSystem, control: useWorkDirectory },
  kernel: { attack: askKernel, control: useWorkDirectory },
}

const DIRECTORIES = [
  '/',
  '/usr',
  '/usr/local/bin',
  '/etc',
  '/bin',
  '/lib',
  '/var/lib',
  '/root',
  '/home',
  '/opt',
  '/boot',
]
const SYSTEM_FILES = ['/etc/passwd', '/etc/resolv.conf', '/etc/hosts', '/usr/bin/env', '/etc/ld.so.preload']

async function leaveFileSystem({ hidden }: Brief, marker: string): Promise<Attempt[]> {
  const name = `egress-demo-${marker}`
  const ways = hidden.flatMap((path) => [
    path,
    `/proc/1/root${path}`,
    `/proc/1/cwd/${path}`,
    `/proc/self/root/../..${path}`,
  ])
  return inTurn([
    ...DIRECTORIES.map(
      (directory) => () => attempt(`write below ${directory}`, () => write(join(directory, name))),
    ),
    ...SYSTEM_FILES.map((path) => () => attempt(`append to ${path}`, () => append(path))),
    ...ways.map((path) => () => attempt(`read ${path}`, () => read(path))),
    ...hidden.map((path) => () => attempt(`symbolic link to ${path}`, () => readThroughLink(path, name))),
    ...hidden.map((path) => () => attempt(`hard link to ${path}`, () => linkTo(path, name))),
  ])
}

async function useWorkDirectory(_: Brief, marker: string): Promise<Attempt[]> {
  return [
    await attempt('write into the work directory', () => {
      writeFileSync(`control-${marker}`, marker)
      return { said: 'written' }
    }),
  ]
}

async function askKernel(): Promise<Attempt[]> {
  const programs: [command: string, ...args: string[]][] = [
    ['mount', '-t', 'tmpfs', 'tmpfs', '/mnt'],
    ['mount', '--bind', '/', '/mnt'],
    ['mount', '-o', 'remount,rw', '/'],
    ['umount', '-l', '/etc/resolv.conf'],
    ['mknod', '/tmp/disk', 'b', '8', '0'],
    ['mknod', '/tmp/memory', 'c', '1', '1'],
    ['chroot', '/', 'true'],
    ['su', '-c', 'true'],
    ['sudo', '-n', 'true'],
    ['date', '-s', '2030-01-01'],
    ['hostname', 'elsewhere'],
    ['insmod', '/dev/null'],
    ['dmesg'],
  ]
  const switches = [
    '/proc/sys/kernel/core_pattern',
    '/proc/sys/kernel/modprobe',
    '/proc/sys/net/ipv4/ip_forward',
    '/proc/sys/user/max_user_namespaces',
    '/proc/sysrq-trigger',
    '/sys/kernel/uevent_helper',
    '/sys/fs/cgroup/cgroup.procs',
  ]
  const devices = [
    '/dev/mem',
    '/dev/kmsg',
    '/dev/sda',
    '/dev/vda',
    '/proc/kcore',
    '/proc/kmsg',
    '/dev/kvm',
    '/dev/fuse',
  ]
  const sockets = [
    '/var/run/docker.sock',
    '/run/docker.sock',
    '/run/containerd/containerd.sock',
    '/run/podman/podman.sock',
    '/run/dbus/system_bus_socket',
  ]
  return inTurn([
    ...programs.map(
      ([command, ...args]) =>
        () =>
          attempt([command, ...args].join(' '), () => tryProgram(command, args)),
    ),
    ...switches.map((path) => () => attempt(`write ${path}`, () => rewrite(path))),
    ...devices.map((path) => () => attempt(`read ${path}`, () => read(path))),
    ...sockets.map((path) => () => attempt(`connect to ${path}`, () => open(path))),
  ])
}

function tryProgram(command: string, args: readonly string[]): ForwardResult {
  return isInstalled(command) ? run(command, args) : { reached: false, said: `${command} is not installed` }
}

function write(path: string): ForwardResult {
  writeFileSync(path, 'was here', { flag: 'wx' })
  return { said: 'written' }
}

/** Appends nothing: only the permission matters, and the demo must not damage the host if the gateway fails. */
function append(path: string): ForwardResult {
  appendFileSync(path, '')
  return { said: 'opened for writing' }
}

/** Writes the existing content back, for the same reason. */
function rewrite(path: string): ForwardResult {
  let before: Buffer
  try {
    before = readFileSync(path)
  } catch {
    before = Buffer.alloc(0)
  }
  writeFileSync(path, before)
  return { said: 'written' }
}

/** Reads a little, without waiting: some of these files never end, and one blocks until the kernel writes to it. */
function read(path: string): ForwardResult {
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const length = readSync(file, Buffer.alloc(64))
    return { reached: length > 0, said: `read ${length} bytes` }
  } finally {
    closeSync(file)
  }
}

function readThroughLink(path: string, name: string): ForwardResult {
  const directory = `link-${name}`
  mkdirSync(directory, { recursive: true })
  const link = join(directory, 'link')
  try {
    symlinkSync(path, link)
    return read(link)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function linkTo(path: string, name: string): ForwardResult {
  linkSync(path, `hard-${name}`)
  rmSync(`hard-${name}`, { force: true })
  return { said: 'linked' }
}

function open(path: string): Promise<ForwardResult> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path })
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.destroy()
      resolve({ said: 'connected' })
    })
  })
}
