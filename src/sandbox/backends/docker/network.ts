import { randomBytes } from 'node:crypto'
import type { SandboxStart } from '../../../events/events.js'
import { RUN_BITS } from '../../../serve/registry.js'
import { addressNumber, addressText, baseOf, hostIn, type Subnet } from '../../../serve/subnet.js'
import { SandboxError } from '../../sandbox-error.js'
import { placeOf, removeNetwork, tellEnd } from './clean-up.js'
import { notDocker } from './engine.js'
import { findGateway, gatewayAway, type Gateway } from './gateway.js'
import type { DockerHost, DockerResult } from './host.js'
import { dockerError, type DockerOptions } from './options.js'

/** Attempts before the pool is considered full. */
const MAX_DRAWS = 40

/** Takes the host's address out of a network, and so the host's servers on 0.0.0.0 out of the reach of who is in it. */
const NO_HOST_ADDRESS = 'com.docker.network.bridge.inhibit_ipv4'

/** A run's network, connected to the gateway, and the gateway's reply to the registration. */
export interface Connection {
  readonly subnet: Subnet
  readonly environment: Readonly<Record<string, string>>
  /** processors of the engine's machine */
  readonly processors: number
}

/** What a run tells the gateway of its sandbox, for the records. */
export interface Announced {
  /** the command's first word */
  readonly command: string
  readonly start: Omit<SandboxStart, 'policyHash'>
  readonly labels: readonly string[]
}

/** The network of one run: creates it, connects the gateway to it, and registers the sandbox. */
export class RunNetwork {
  /** of the sandbox */
  readonly id: string
  readonly #host: DockerHost
  #gateway: Gateway
  #subnet: Subnet | null = null
  readonly #options: DockerOptions
  readonly #owner: string
  readonly #emptyFile: string
  /** Calls of `docker` in progress for this network. */
  readonly #pending = new Set<Promise<DockerResult>>()
  #begun = false
  #closed = false

  constructor(
    id: string,
    context: { host: DockerHost; gateway: Gateway; options: DockerOptions; owner: string; emptyFile: string },
  ) {
    this.id = id
    this.#host = context.host
    this.#gateway = context.gateway
    this.#options = context.options
    this.#owner = context.owner
    this.#emptyFile = context.emptyFile
  }

  /** Of the network and of the container. */
  get name(): string {
    return `egress-${this.id}`
  }

  /** The gateway's containers: others after an upgrade. */
  get gateway(): Gateway {
    return this.#gateway
  }

  /** Whether there may be something to remove. */
  get begun(): boolean {
    return this.#begun
  }

  get place(): string {
    return placeOf(this.#owner)
  }

  /** Rejects with a SandboxError. If the addresses are in use, it tries other ones. */
  async connect(agent: string, what: Announced): Promise<Connection> {
    for (let draw = 1; ; draw += 1) {
      const connection = await this.#try(drawSubnet(this.#options.pool), agent, what, draw < MAX_DRAWS)
      if (connection !== null) {
        this.#subnet = connection.subnet
        return connection
      }
      // The end must be reported after the registration, or it has no effect.
      await this.#settle()
      await tellEnd(this.#host, { containers: this.#gateway, emptyFile: this.#emptyFile }, this.name, {
        exitCode: null,
      })
      await removeNetwork(this.#host, this.#gateway, this.name)
    }
  }

  /**
   * Connects the gateway's containers as they are now, where they are not: an upgrade replaces them, and only a run knows its
   * network. Never rejects: whoever is still missing has another start to come.
   */
  async rejoin(): Promise<void> {
    const found = await findGateway(this.#host, this.#options)
    if (typeof found === 'string' || this.#subnet === null || this.#closed) return
    this.#gateway = found
    // One that is connected says so, which is as good.
    await Promise.all(this.#join(this.#subnet))
  }

  #join(subnet: Subnet): Promise<DockerResult>[] {
    const { dns, proxy } = this.#gateway
    return [
      this.#docker(['network', 'connect', '--ip', hostIn(subnet, 'dns'), this.name, dns]),
      this.#docker(['network', 'connect', '--ip', hostIn(subnet, 'proxy'), this.name, proxy]),
    ]
  }

  /**
   * Starts no further calls, and waits for those in progress. The engine completes a call even if its client is gone: a
   * gateway that joined a network after its removal could never start again.
   */
  async close(): Promise<void> {
    this.#closed = true
    await this.#settle()
  }

  async #settle(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending)
  }

  /** Null if the addresses are in use and another attempt is allowed. */
  async #try(subnet: Subnet, agent: string, what: Announced, mayRepeat: boolean): Promise<Connection | null> {
    const { proxy } = this.#gateway
    const text = `${addressText(subnet.base)}/${String(subnet.bits)}`
    this.#goOn()
    this.#begun = true
    const made = this.#docker([
      ...['network', 'create', '--internal', '--subnet', text],
      ...['--opt', `${NO_HOST_ADDRESS}=true`],
      ...['--label', `io.egress.project=${this.#options.project}`],
      ...['--label', `io.egress.owner=${this.#owner}`, this.name],
    ])
    const { command, ...details } = what
    const words = [this.id, text, agent, command, JSON.stringify(details)]
    const told = this.#docker(['exec', proxy, 'egress-admin', 'add', ...words])
    const network = await made
    if (network.code !== 0) {
      if (mayRepeat && network.stderr.includes('overlap')) return null
      throw dockerError(
        `Could not create the sandbox network: ${network.stderr.trim()}`,
        'If its addresses are in use, set EGRESS_POOL to another network (default: 10.231.0.0/16)',
      )
    }
    this.#goOn()
    const asked = this.#isolation()
    const joined = this.#join(subnet)
    if (!(await asked)) throw notDocker('one that dropped what isolates the network')
    const answer = await told
    if (answer.code !== 0) {
      if (mayRepeat && answer.stderr.includes('overlap')) return null
      throw await this.#denial(answer)
    }
    const results = await Promise.all(joined)
    if (results.some(({ code }) => code !== 0))
      throw dockerError(
        `The gateway could not join the sandbox network: ${results.map(({ stderr }) => stderr.trim()).join(' ')}`,
        'Check that the gateway is running with `docker compose ps`',
      )
    return readResponse(subnet, answer.stdout)
  }

  /** Whether the engine has made the network as it was asked to. */
  async #isolation(): Promise<boolean> {
    const format = `{{.Driver}} {{.Internal}} {{index .Options "${NO_HOST_ADDRESS}"}}`
    const { stdout } = await this.#docker(['network', 'inspect', '--format', format, this.name])
    return stdout.trim() === 'bridge true true'
  }

  #goOn(): void {
    if (this.#closed) throw dockerError('The run has already ended', 'Start it again')
  }

  /** The gateway's own error if the output has one; otherwise the gateway is not responding. */
  async #denial({ stderr }: DockerResult): Promise<Error> {
    const [, problem, fix] = /^egress: (.*)\n {2}(.*)$/m.exec(stderr) ?? []
    if (problem === undefined || fix === undefined) return gatewayAway(this.#host, this.#gateway)
    return new SandboxError('EGRESS_SANDBOX_REFUSED', problem, fix)
  }

  #docker(args: readonly string[]): Promise<DockerResult> {
    const call = this.#host.docker(args)
    this.#pending.add(call)
    void call.finally(() => this.#pending.delete(call))
    return call
  }
}

/** Parses `# processors N`, then the environment, one variable per line. */
function readResponse(subnet: Subnet, text: string): Connection {
  const lines = text.split('\n')
  const processors = Number(/^# processors (\d+)$/.exec(lines[0] ?? '')?.[1] ?? 1)
  const pairs = lines.flatMap((line): [string, string][] => {
    const at = line.indexOf('=')
    return line.startsWith('#') || at < 1 ? [] : [[line.slice(0, at), line.slice(at + 1)]]
  })
  return { subnet, processors, environment: Object.fromEntries(pairs) }
}

/** Chooses a random network of eight addresses from the pool. Throws a SandboxError. */
export function drawSubnet(pool: string): Subnet {
  const [, address = '', length = ''] = /^([0-9.]+)\/(\d{1,2})$/.exec(pool) ?? []
  const number = addressNumber(address)
  if (number === null)
    throw dockerError(
      `Invalid EGRESS_POOL \`${pool}\``,
      'Use a network in CIDR notation, such as 10.231.0.0/16',
    )
  const bits = Number(length)
  if (bits < 8 || bits > 26)
    throw dockerError(`Invalid size of EGRESS_POOL \`${pool}\``, 'Use a prefix length between /8 and /26')
  const count = 2 ** (RUN_BITS - bits)
  const drawn = randomBytes(4).readUInt32BE() % count
  return { base: baseOf(number, bits) + drawn * 2 ** (32 - RUN_BITS), bits: RUN_BITS }
}
