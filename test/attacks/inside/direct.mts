import { createSocket } from 'node:dgram'
import { connect, isIPv6, type NetConnectOpts } from 'node:net'
import type { Attempt, Brief, InsideRow } from '../brief.js'
import { attempt, nameOf, type ForwardResult } from './lib/attempt.mjs'
import { statusField } from './lib/processes.mjs'
import { isInstalled, run } from './lib/run.mjs'
import { askJira } from './lib/controls.mjs'

/** Milliseconds to wait for a reply; without a route, the kernel fails immediately. */
const GRACE_MS = 800

export const rows: Readonly<Record<string, InsideRow>> = {
  'direct-internet': { attack: reachInternet, control: askJira },
  'host-loopback': { attack: reachHost, control: askJira },
  'raw-socket': { attack: openRawSockets, control: askJira },
}

async function reachInternet(_: Brief, marker: string): Promise<Attempt[]> {
  return Promise.all([
    ...['1.1.1.1', '2606:4700:4700::1111'].flatMap((host) =>
      [80, 443].map((port) => attempt(`TCP ${host} port ${port}`, () => speakTcp({ host, port }, marker))),
    ),
    ...['8.8.8.8', '2001:4860:4860::8888'].map((host) =>
      attempt(`UDP ${host} port 443`, () => speakUdp(host, 443, marker)),
    ),
    attempt('metadata service', () => speakTcp({ host: '169.254.169.254', port: 80 }, marker)),
  ])
}

async function reachHost({ attacker, hostAddresses }: Brief, marker: string): Promise<Attempt[]> {
  const hosts = ['127.0.0.1', '::1', ...hostAddresses]
  return Promise.all([
    ...hosts.flatMap((host) => [
      attempt(`TCP ${host} port ${attacker.port}`, () => speakTcp({ host, port: attacker.port }, marker)),
      attempt(`UDP ${host} port ${attacker.dnsPort}`, () => speakUdp(host, attacker.dnsPort, marker)),
    ]),
    attempt('abstract socket of the host', () => speakTcp({ path: `\0${attacker.unixName}` }, marker)),
  ])
}

/** Node cannot open raw sockets, so this uses interpreters that can, if installed, and reads the capabilities. */
async function openRawSockets(): Promise<Attempt[]> {
  const programs: [command: string, ...args: string[]][] = [
    ['perl', '-e', 'use Socket; socket(S, PF_INET, SOCK_RAW, 1) or die "$!\\n"'],
    ['perl', '-e', 'use Socket; socket(S, 17, SOCK_RAW, 0x0300) or die "$!\\n"'],
    ['python3', '-c', 'import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)'],
    ['python3', '-c', 'import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0x0300)'],
    ['ping', '-c', '1', '-W', '1', '1.1.1.1'],
  ]
  return Promise.all([
    ...programs.map(([command, ...args]) =>
      attempt(`${command} ${args.at(-1) ?? ''}`, () =>
        isInstalled(command) ? run(command, args) : { reached: false, said: `${command} is not installed` },
      ),
    ),
    ...['CapEff', 'CapPrm', 'CapBnd', 'CapAmb'].map((field) =>
      attempt(`${field} of the agent`, () => {
        const passed = statusField('self', field)
        return { reached: !/^0+$/.test(passed), said: passed }
      }),
    ),
    attempt('gain privileges by execve', () => {
      const flag = statusField('self', 'NoNewPrivs')
      return { reached: flag !== '1', said: `NoNewPrivs ${flag}` }
    }),
  ])
}

function speakTcp(where: NetConnectOpts, marker: string): Promise<ForwardResult> {
  return new Promise((resolve, reject) => {
    const socket = connect(where)
    socket.setTimeout(GRACE_MS, () => socket.destroy(new Error('no answer')))
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.end(`GET /?q=${marker} HTTP/1.1\r\nHost: x\r\n\r\n`)
      resolve({ said: 'connected' })
    })
  })
}

function speakUdp(host: string, port: number, marker: string): Promise<ForwardResult> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4')
    const end = (outcome: ForwardResult): void => {
      clearTimeout(timer)
      socket.close()
      resolve(outcome)
    }
    const timer = setTimeout(() => {
      end({ reached: false, said: 'no answer' })
    }, GRACE_MS)
    socket.once('error', (error) => {
      end({ reached: false, said: nameOf(error) })
    })
    socket.once('message', () => {
      end({ said: 'answered' })
    })
    socket.connect(port, host, () => {
      socket.send(marker)
    })
  })
}
