import { findH2load, runH2load, startNghttpx, type Load } from '../workers/http2-programs.js'
import { startNginx } from '../workers/nginx.js'
import { policyOf } from '../workers/bench-policy.js'
import { Stage } from '../workers/stage.js'
import type { BenchRow, Contender } from './row.js'

export const http2: BenchRow = {
  id: 'http2',
  title: 'HTTP/2 without TLS, 4 connections of 32 streams, 1 KiB',
  unit: 'requests/s',
  async open({ roundMs }) {
    const stage = await Stage.open()
    const h2load = findH2load()
    if (h2load === null) return stage.contest(['h2load is not installed (Debian: nghttp2-client)'])
    const { http: upstreamPort } = stage.ports
    const ours = await stage.gateway(policyOf('http', upstreamPort, stage.ca))
    const nginx = stage.keep(await startNginx(upstreamPort))
    const nghttpx = stage.keep(await startNghttpx({ upstreamPort, tls: null }))
    const loaded = (
      name: string,
      pid: number | undefined,
      port: number,
      more: Partial<Load> = {},
    ): Contender | string => {
      if (pid === undefined) return `${name} is not installed`
      const load = { url: 'http://api.example/v1/items', port, connections: 4, streams: 32, ...more }
      return {
        name,
        pid,
        run: async () => {
          const { requests, requestsPerSecond, errors } = await runH2load(h2load, load, roundMs / 1000)
          return { operations: requests, perSecond: requestsPerSecond, p50: null, p99: null, errors }
        },
      }
    }
    return stage.contest([
      loaded('egress serve', ours.pid, ours.ready.http),
      loaded('egress serve, HTTP/1.1', ours.pid, ours.ready.http, { connections: 32, streams: null }),
      loaded('nginx', nginx?.pid, nginx?.ready.http2 ?? 0),
      loaded('nghttpx', nghttpx?.pid, nghttpx?.ready ?? 0),
    ])
  },
}
