import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createCa, type CertificateAuthority } from '#test/servers/certificate-authority.js'
import type { Contender, Contest } from '../rows/row.js'
import type { LoadOrder, LoadOutcome } from './bench-load.js'
import type { UpstreamPorts } from './bench-upstream.js'
import type { GatewayPorts } from './gateway.js'
import { runWorker, startWorker, type Worker } from './processes.js'

/** The upstream of a row and its authority, and everything that was started for it. */
export class Stage {
  readonly authority: CertificateAuthority
  readonly ports: UpstreamPorts
  readonly #directory: string
  readonly #workers: Worker<unknown>[]

  private constructor(authority: CertificateAuthority, directory: string, upstream: Worker<UpstreamPorts>) {
    this.authority = authority
    this.ports = upstream.ready
    this.#directory = directory
    this.#workers = [upstream]
  }

  static async open(names: readonly string[] = []): Promise<Stage> {
    const directory = mkdtempSync(join(tmpdir(), 'egress-bench-'))
    const authority = await createCa('bench')
    const { key, cert } = await authority.issue(['localhost', 'api.example', ...names])
    const write = (name: string, text: string) => {
      const path = join(directory, name)
      writeFileSync(path, text, { mode: 0o600 })
      return path
    }
    write('ca.pem', authority.pem)
    const words = [write('key.pem', key), write('cert.pem', cert)]
    return new Stage(authority, directory, await startWorker<UpstreamPorts>('bench-upstream', words))
  }

  /** The path of the upstream's authority. */
  get ca(): string {
    return join(this.#directory, 'ca.pem')
  }

  /** The gateway with a policy. */
  async gateway(policy: string): Promise<Worker<GatewayPorts>> {
    const file = join(this.#directory, `policy-${String(this.#workers.length)}.yaml`)
    writeFileSync(file, policy)
    return this.keep(await startWorker<GatewayPorts>('bench-gateway', [file]))
  }

  /** To be stopped with the row. */
  keep<W extends Worker<unknown> | null>(worker: W): W {
    if (worker !== null) this.#workers.push(worker)
    return worker
  }

  contest(contenders: readonly (Contender | string)[]): Contest {
    return {
      contenders: contenders.filter((one) => typeof one !== 'string'),
      missing: contenders.filter((one) => typeof one === 'string'),
      stop: async () => {
        for (const worker of this.#workers) await worker.stop()
        rmSync(this.#directory, { recursive: true, force: true })
      },
    }
  }

  /** One with a load of `bench-load`; its name where the program is not there. */
  loaded(name: string, worker: Worker<unknown> | null, order: Partial<LoadOrder>): Contender | string {
    if (worker === null) return `${name} is not installed`
    return { name, pid: worker.pid, run: () => runLoad(order) }
  }
}

const DEFAULT_LOAD: LoadOrder = {
  kind: 'requests',
  port: 0,
  tunnels: [],
  serverName: null,
  isTls: false,
  target: '/v1/items',
  host: 'api.example',
  connections: 32,
  addresses: 1,
  milliseconds: 2_000,
}

export function runLoad(order: Partial<LoadOrder>): Promise<LoadOutcome> {
  return runWorker<LoadOutcome>('bench-load', [JSON.stringify({ ...DEFAULT_LOAD, ...order })])
}
