import type { Peer } from '#firewall/contracts/peer.js'
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { RegisteredSandbox, SandboxRef } from '#firewall/contracts/identity.js'
import { writeWholeFile } from '../common/write-file.js'
import type { SandboxSource } from './sandbox-source.js'
import { addressNumber, addressText, baseOf, hostIn, HOSTS, parseSubnet, type Subnet } from './subnet.js'

/** Prefix length of a run's own network: addresses for the engine, two gateway containers and one sandbox. */
export const RUN_BITS = 29

/** A network that is configured as one sandbox, for agents that sandbox-run does not start. */
export interface FixedNetwork {
  readonly subnet: Subnet
  readonly identity: RegisteredSandbox
}

/** The sandbox of one run, as it was registered. */
export interface Registration extends RegisteredSandbox {
  /** Its network, in the format of `parseSubnet`. */
  readonly subnet: string
  /** The command's first word, for the audit log. */
  readonly command: string
  /** Which start of the engine's machine it is of; null if unknown. */
  readonly boot: string | null
}

interface CachedRegistration {
  readonly inode: number
  readonly modified: number
  readonly registration: Registration | null
}

/**
 * Identifies the sandbox of an address. Stores one file per run, named after the run's network. The files survive a restart of
 * the gateway, and the resolver reads them too. No sandbox can see them.
 */
export class SandboxRegistry {
  readonly #directory: string
  #fixed: readonly FixedNetwork[]
  #source: SandboxSource | null = null
  /** Content of the files when they were last read, by the number of the network. */
  readonly #known = new Map<number, CachedRegistration>()

  constructor(directory: string, fixed: readonly FixedNetwork[]) {
    this.#directory = directory
    this.#fixed = fixed
  }

  /** Sandboxes without a network of their own, beside the others. */
  set source(source: SandboxSource | null) {
    this.#source = source
  }

  get source(): SandboxSource | null {
    return this.#source
  }

  /**
   * Null unless the peer has the sandbox's own address (so that no gateway container can act as a sandbox) and connected to
   * the gateway's address in the same network.
   */
  identify({
    address,
    localAddress: local,
  }: Pick<Peer, 'address' | 'localAddress'>): RegisteredSandbox | null {
    if (this.#source !== null) {
      const sourced = this.#source.identify({ address })
      if (sourced !== null) return sourced
    }
    const number = addressNumber(address)
    if (number === null) return null
    const to = local === undefined ? null : addressNumber(local)
    const fixed = this.#fixed.find(({ subnet }) => baseOf(number, subnet.bits) === subnet.base)
    if (fixed !== undefined) {
      const { base, bits } = fixed.subnet
      const own = number - base >= HOSTS.sandbox
      return own && (to === null || baseOf(to, bits) === base) ? fixed.identity : null
    }
    const base = baseOf(number, RUN_BITS)
    if (number - base !== HOSTS.sandbox || (to !== null && baseOf(to, RUN_BITS) !== base)) return null
    const registration = this.#read(base)
    if (registration === null) return null
    const { id, agent, labels = [], placeholders } = registration
    return { id, agent, labels, placeholders }
  }

  /** Replaces the fixed networks, after a new policy has added placeholders. */
  replaceFixed(networks: readonly FixedNetwork[]): void {
    this.#fixed = networks
  }

  get fixedNetworks(): readonly FixedNetwork[] {
    return this.#fixed
  }

  /** When a sandbox was registered, ISO 8601; null for one that `list` has not just returned. */
  since({ subnet }: Registration): string | null {
    const known = this.#known.get(parseSubnet(subnet)?.base ?? 0)
    return known === undefined ? null : new Date(known.modified).toISOString()
  }

  /** Whether an address is in the network of a sandbox, be it the sandbox's own or another one there. */
  isInSandboxNetwork(address: string): boolean {
    if (this.#source?.isSandboxAddress(address) === true) return true
    const number = addressNumber(address.replace(/^::ffff:/i, ''))
    if (number === null) return false
    const isFixed = this.#fixed.some(({ subnet }) => baseOf(number, subnet.bits) === subnet.base)
    return isFixed || existsSync(this.#path(baseOf(number, RUN_BITS)))
  }

  /** A fixed network by the name of its sandbox; null if there is none. */
  fixed(name: string): FixedNetwork | null {
    return this.#fixed.find(({ identity }) => identity.id === name) ?? null
  }

  /** The proxy's address in the network of a sandbox that `identify` has just returned. */
  proxyFor({ id }: SandboxRef): string {
    if (this.#source?.has(id) === true) return this.#source.gatewayAddress
    const fixed = this.#fixed.find(({ identity }) => identity.id === id)
    if (fixed !== undefined) return hostIn(fixed.subnet, 'proxy')
    for (const [base, { registration }] of this.#known) {
      if (registration?.id === id) return hostIn({ base, bits: RUN_BITS }, 'proxy')
    }
    throw new Error(`Sandbox ${id} ended during its query`)
  }

  /** The sandbox that has this network; null if it is free. */
  holder(subnet: string): Registration | null {
    return this.#read(parseSubnet(subnet)?.base ?? 0)
  }

  /** Writes a new file (a new inode), so that readers never confuse a new sandbox with an old one. */
  add(registration: Registration): void {
    const placeholders = Object.fromEntries(registration.placeholders)
    const text = JSON.stringify({ ...registration, placeholders })
    writeWholeFile(this.#path(parseSubnet(registration.subnet)?.base ?? 0), text)
  }

  /** Null if there is no such sandbox, or no longer. */
  find(id: string): Registration | null {
    return this.list().find((one) => one.id === id) ?? null
  }

  remove({ subnet }: Registration): void {
    rmSync(this.#path(parseSubnet(subnet)?.base ?? 0), { force: true })
  }

  /** Returns a check whether a sandbox is active, by its id, based on the files as they are now. */
  activeSandboxes(): (id: string) => boolean {
    const there = new Set(
      [...this.list(), ...this.#fixed.map(({ identity }) => identity)].map(({ id }) => id),
    )
    for (const { id } of this.#source?.list() ?? []) there.add(id)
    return (id) => there.has(id)
  }

  /**
   * Sandboxes registered before that time (Unix, ms) whose network the gateway is not connected to: the run was killed before
   * its network was created, or after its network was removed, and never reported its end.
   */
  stale(before: number, isOwn: (address: string) => boolean): Registration[] {
    return this.list().filter(({ subnet }) => {
      const parsed = parseSubnet(subnet)
      if (parsed === null || isOwn(hostIn(parsed, 'proxy'))) return false
      return (this.#known.get(parsed.base)?.modified ?? before) < before
    })
  }

  /** Sandboxes of which a restart of the machine has left nothing but their registrations. */
  ofEarlierBoots(boot: string | null): Registration[] {
    return boot === null ? [] : this.list().filter((one) => one.boot !== null && one.boot !== boot)
  }

  list(): Registration[] {
    // The first registration creates the directory.
    const names = existsSync(this.#directory) ? readdirSync(this.#directory) : []
    return names
      .map((name) => addressNumber(name.replace(/\.json$/, '')))
      .map((base) => (base === null ? null : this.#read(base)))
      .filter((registration) => registration !== null)
  }

  #read(base: number): Registration | null {
    const path = this.#path(base)
    const found = statSync(path, { throwIfNoEntry: false })
    if (found === undefined) {
      this.#known.delete(base)
      return null
    }
    const known = this.#known.get(base)
    if (known?.inode === found.ino && known.modified === found.mtimeMs) return known.registration
    const registration = parseRegistration(readFileSync(path, 'utf8'))
    this.#known.set(base, { inode: found.ino, modified: found.mtimeMs, registration })
    return registration
  }

  #path(base: number): string {
    return join(this.#directory, `${addressText(base)}.json`)
  }
}

/** Null if the text is invalid; the sandbox is then unknown, and its requests are denied. */
function parseRegistration(text: string): Registration | null {
  try {
    const { boot, labels, placeholders, ...rest } = JSON.parse(text) as Record<string, unknown>
    const { id, agent, subnet, command } = rest
    const whole = [id, agent, subnet, command].every((part) => typeof part === 'string')
    if (!whole || typeof placeholders !== 'object' || placeholders === null) return null
    return {
      ...{ id, agent, subnet, command, boot: typeof boot === 'string' ? boot : null },
      labels: Array.isArray(labels) ? labels.map(String) : [],
      placeholders: new Map(Object.entries(placeholders)),
    } as unknown as Registration
  } catch {
    return null
  }
}
