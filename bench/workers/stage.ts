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

  /** The gateway with a policy, in which `CA` is the path of the upstream's authority. */
  async gateway(policy: string): Promise<Worker<GatewayPorts>> {
    const file = join(this.#directory, `policy-${String(this.#workers.length)}.yaml`)
    writeFileSync(file, policy.replaceAll('CA', join(this.#directory, 'ca.pem')))
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
    const whole = { ...DEFAULTS, ...order }
    return {
      name,
      pid: worker.pid,
      run: () => runWorker<LoadOutcome>('bench-load', [JSON.stringify(whole)]),
    }
  }
}

const DEFAULTS: LoadOrder = {
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

/** A service with a credential, whose responses are searched, and these hosts beside it. */
export function policyOf(scheme: 'http' | 'https', port: number, more = ''): string {
  return `services:
  api:
    url: ${scheme}://api.example
    credential: { bearer: "\${API_TOKEN}" }
    rules:
      - deny: "* /v1/admin/**"
      - allow: GET,POST,PUT /v1/**
    allow_private_addresses: true
    ${scheme === 'http' ? 'allow_plaintext: true' : 'ca: CA'}
${more === '' ? 'upstream:\n  hosts:\n' : more}    api.example: "127.0.0.1:${String(port)}"
`
}
