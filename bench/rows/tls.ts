import { squidBumps, startIron, startMitmproxy } from '../workers/peers.js'
import { policyOf } from '../workers/bench-policy.js'
import { Stage } from '../workers/stage.js'
import type { BenchRow, Contest } from './row.js'

const SQUID = squidBumps()
  ? 'squid with ssl-bump has no row yet'
  : 'squid has no ssl-bump here (Debian: squid-openssl)'

export const tls: BenchRow = {
  id: 'tls',
  title: 'TLS ended, 32 connections, 1 KiB',
  unit: 'requests/s',
  open: ({ iron, roundMs }) => intercepted(iron, { milliseconds: roundMs }),
}

/** Names that no contender has a certificate for. */
const NAMES = Array.from({ length: 1_000 }, (_, i) => `h${String(i)}.fresh.example`)

export const first: BenchRow = {
  id: 'first',
  title: 'first request of a name: CONNECT, certificate, TLS, request; 4 at once',
  unit: 'requests/s',
  rounds: 1,
  open: ({ iron, roundMs }) => intercepted(iron, { milliseconds: roundMs, kind: 'first', connections: 4 }),
}

async function intercepted(
  iron: string | null,
  load: { milliseconds: number; kind?: 'first'; connections?: number },
): Promise<Contest> {
  const isFirst = load.kind === 'first'
  const stage = await Stage.open(['*.fresh.example'])
  const { https: port } = stage.ports
  const hosts = isFirst
    ? `settings: { limits: { certificates: { per_second: 1000, burst: 10000 } } }\nallow:\n${NAMES.map((name) => `  - { host: ${name}, allow_private_addresses: true, ca: ${stage.ca} }\n`).join('')}upstream:\n  hosts:\n${NAMES.map((name) => `    ${name}: "127.0.0.1:${String(port)}"\n`).join('')}`
    : undefined
  const ours = await stage.gateway(policyOf('https', port, stage.ca, hosts))
  const mitmproxy = stage.keep(await startMitmproxy())
  const other = stage.keep(await startIron(iron, stage.authority))
  // Each address of loopback is a name of its own to those that know no names but the system's.
  const addresses = NAMES.map(
    (_, i) => `127.1.${String(Math.floor(i / 250))}.${String(1 + (i % 250))}:${String(port)}`,
  )
  const of = (worker: { ready: number } | null) => ({
    ...load,
    ...{ isTls: true, port: worker?.ready ?? 0, host: `localhost:${String(port)}` },
    tunnels: isFirst ? addresses : [`localhost:${String(port)}`],
  })
  return stage.contest([
    stage.loaded('egress serve', ours, {
      ...load,
      ...{ isTls: true, port: ours.ready.forward },
      tunnels: isFirst ? NAMES.map((name) => `${name}:443`) : ['api.example:443'],
    }),
    stage.loaded('mitmproxy', mitmproxy, of(mitmproxy)),
    iron === null
      ? 'iron-proxy: build it, and pass `--iron PATH`'
      : stage.loaded('iron-proxy', other, of(other)),
    SQUID,
  ])
}
