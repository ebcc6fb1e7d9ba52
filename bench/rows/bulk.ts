import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { startNginx } from '../workers/nginx.js'
import { startSquid, startTinyproxy } from '../workers/peers.js'
import { policyOf } from '../workers/bench-policy.js'
import { Stage } from '../workers/stage.js'
import type { BenchRow, Contender, Outcome } from './row.js'

const MIB = 1024

/** 1 GiB with curl. An operation is a MiB. */
function transfer(
  name: string,
  pid: number | undefined,
  way: 'up' | 'down',
  words: readonly string[],
): Contender | string {
  if (pid === undefined) return `${name} is not installed`
  const send = way === 'up' ? `head -c ${String(MIB)}M /dev/zero | ` : ''
  const options = way === 'up' ? '-T - -H "Expect:"' : ''
  return {
    name,
    pid,
    async run(): Promise<Outcome> {
      const begun = performance.now()
      const script = `${send}curl -sSf -o /dev/null ${options} "$@"`
      const child = spawn('sh', ['-c', script, 'sh', ...words], { stdio: ['ignore', 'ignore', 'inherit'] })
      const [code] = (await once(child, 'exit')) as [number | null]
      const seconds = (performance.now() - begun) / 1000
      return { operations: MIB, perSecond: MIB / seconds, p50: null, p99: null, errors: code === 0 ? 0 : 1 }
    },
  }
}

const bulk = (way: 'up' | 'down'): BenchRow => ({
  id: way,
  title: `1 GiB ${way}`,
  unit: 'MiB/s',
  rounds: 2,
  async open() {
    const stage = await Stage.open()
    const { paths: port } = stage.ports
    const ours = await stage.gateway(policyOf('http', port, stage.ca))
    const nginx = stage.keep(await startNginx(port))
    const squid = stage.keep(await startSquid([port]))
    const tinyproxy = stage.keep(await startTinyproxy())
    const at = (port: number) => `127.0.0.1:${String(port)}`
    const direct = `http://${at(port)}/v1/${way}`
    const through = (worker: { ready: number } | null) => [
      '--proxy',
      `http://${at(worker?.ready ?? 0)}`,
      direct,
    ]
    return stage.contest([
      transfer('egress serve', ours.pid, way, [
        '--proxy',
        `http://${at(ours.ready.forward)}`,
        `http://api.example/v1/${way}`,
      ]),
      transfer('nginx', nginx?.pid, way, [`http://${at(nginx?.ready.http1 ?? 0)}/v1/${way}`]),
      transfer('squid', squid?.pid, way, through(squid)),
      transfer('tinyproxy', tinyproxy?.pid, way, through(tinyproxy)),
    ])
  },
})

export const down = bulk('down')
export const up = bulk('up')
