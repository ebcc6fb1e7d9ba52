import { startNginx } from '../workers/nginx.js'
import { startMitmproxy, startSquid, startTinyproxy } from '../workers/peers.js'
import { startWorker } from '../workers/processes.js'
import { policyOf } from '../workers/bench-policy.js'
import { Stage } from '../workers/stage.js'
import type { BenchRow } from './row.js'

export const http: BenchRow = {
  id: 'http',
  title: 'HTTP, 32 connections, 1 KiB',
  unit: 'requests/s',
  async open({ roundMs: milliseconds }) {
    const stage = await Stage.open()
    const { http: port } = stage.ports
    const ours = await stage.gateway(policyOf('http', port, stage.ca))
    const httpProxy = stage.keep(await startWorker<number>('http-servers', ['http-proxy', String(port)]))
    const nginx = stage.keep(await startNginx(port))
    const target = `http://127.0.0.1:${String(port)}/v1/items`
    const host = `127.0.0.1:${String(port)}`
    const squid = stage.keep(await startSquid([port]))
    const tinyproxy = stage.keep(await startTinyproxy())
    const mitmproxy = stage.keep(await startMitmproxy())
    const of = (worker: { ready: number } | null) => ({
      port: worker?.ready ?? 0,
      target,
      host,
      milliseconds,
    })
    return stage.contest([
      stage.loaded('egress serve', ours, {
        port: ours.ready.forward,
        target: 'http://api.example/v1/items',
        milliseconds,
      }),
      stage.loaded('http-proxy', httpProxy, { port: httpProxy.ready, milliseconds }),
      stage.loaded('nginx', nginx, { port: nginx?.ready.http1 ?? 0, milliseconds }),
      stage.loaded('squid', squid, of(squid)),
      stage.loaded('tinyproxy', tinyproxy, of(tinyproxy)),
      stage.loaded('mitmproxy', mitmproxy, of(mitmproxy)),
    ])
  },
}
