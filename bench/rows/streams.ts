import type { LoadOrder } from '../workers/bench-load.js'
import { startNginx } from '../workers/nginx.js'
import { startSquid } from '../workers/peers.js'
import { policyOf } from '../workers/bench-policy.js'
import { Stage } from '../workers/stage.js'
import type { BenchRow } from './row.js'

const streams = (kind: 'events' | 'echo', target: string, connections: number): BenchRow['open'] =>
  async function open({ roundMs: milliseconds }) {
    const stage = await Stage.open()
    const { paths: port } = stage.ports
    const load: Partial<LoadOrder> = { kind, target, connections, milliseconds }
    const ours = await stage.gateway(policyOf('http', port, stage.ca))
    const nginx = stage.keep(await startNginx(port))
    const squid = kind === 'events' ? stage.keep(await startSquid([port])) : null
    const of = (
      name: string,
      worker: { pid: number; stop(): Promise<void>; ready: unknown } | null,
      at: number,
    ) => stage.loaded(name, worker, { ...load, port: at })
    return stage.contest([
      of('egress serve', ours, ours.ready.http),
      of('nginx', nginx, nginx?.ready.http1 ?? 0),
      ...(kind === 'events'
        ? [
            stage.loaded('squid', squid, {
              ...load,
              ...{ port: squid?.ready ?? 0, host: `127.0.0.1:${String(port)}` },
              target: `http://127.0.0.1:${String(port)}${target}`,
            }),
          ]
        : []),
    ])
  }

export const events: BenchRow = {
  id: 'events',
  title: 'server-sent events, 100 streams of 50 a second: how late each is',
  unit: 'events/s',
  open: streams('events', '/v1/events', 100),
}

export const webSocket: BenchRow = {
  id: 'websocket',
  title: 'WebSocket, 32 that each wait for an echo of 32 bytes',
  unit: 'messages/s',
  open: streams('echo', '/v1/socket', 32),
}
