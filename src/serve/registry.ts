import type { Peer } from '#firewall/contracts/peer.js'
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { RegisteredSandbox, SandboxRef } from '#firewall/contracts/identity.js'
import { writeWholeFile } from '../common/write-file.js'
import { addressNumber, addressText, baseOf, hostIn, HOSTS, parseSubnet, type Subnet } from './subnet.js'

/** Size of the network that every run has for itself: the engine, two gateways and one sandbox. */
export const RUN_BITS = 29

/** A network whose every container is one sandbox: agents that somebody else starts and stops. */
export interface FixedNetwork {
  readonly subnet: Subnet
  readonly identity: RegisteredSandbox
}

/** The sandbox of one run, as the gateway was told of it. */
export interface Registration extends RegisteredSandbox {
  /** Its network, as `parseSubnet` reads it. */
  readonly subnet: string
  /** The command's first word, for the audit log. */
  readonly command: string
}

interface CachedRegistration {
  readonly inode: number
  readonly modified: number
  readonly registration: Registration | null
}

/**
 * Who is behind an address: one file for each run's network, named after it. The files outlive the gateway, and whoever
 * answers for the resolver reads the same ones. No sandbox sees them.
 */
export class SandboxRegistry {
  readonly #directory: string
  #fixed: readonly FixedNetwork[]
  /** What the files held when they were read last, by the network's number. */
  readonly #known = new Map<number, CachedRegistration>()

  constructor(directory: string, fixed: readonly FixedNetwork[]) {
    this.#directory = directory
    this.#fixed = fixed
  }

  /**
   * Only the sandbox's own address counts, so that neither gateway can speak as a sandbox, and only what was sent to the
   * gateway's address in the same network.
   */
  identify({
    address,
    localAddress: local,
  }: Pick<Peer, 'address' | 'localAddress'>): RegisteredSandbox | null {
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
    const { id, agent, placeholders } = registration
    return { id, agent, placeholders }
  }

  /** The networks that stay, with placeholders for names that a new policy has gained. */
  replaceFixed(networks: readonly FixedNetwork[]): void {
    this.#fixed = networks
  }

  /** The identity of a network that stays, by its name. */
  fixed(name: string): RegisteredSandbox | null {
    return this.#fixed.find(({ identity }) => identity.id === name)?.identity ?? null
  }

  /** The proxy's address in the network of a sandbox that was identified just now. */
  proxyFor({ id }: SandboxRef): string {
    const fixed = this.#fixed.find(({ identity }) => identity.id === id)
    if (fixed !== undefined) return hostIn(fixed.subnet, 'proxy')
    for (const [base, { registration }] of this.#known) {
      if (registration?.id === id) return hostIn({ base, bits: RUN_BITS }, 'proxy')
    }
    throw new Error(`the sandbox ${id} went away in the middle of its query`)
  }

  /** Whose a run's network is; null for nobody's. */
  holder(subnet: string): Registration | null {
    return this.#read(parseSubnet(subnet)?.base ?? 0)
  }

  /** The file appears whole, with a number of its own, so that nobody takes a new sandbox for an old one. */
  add(registration: Registration): void {
    const placeholders = Object.fromEntries(registration.placeholders)
    const text = JSON.stringify({ ...registration, placeholders })
    writeWholeFile(this.#path(parseSubnet(registration.subnet)?.base ?? 0), text)
  }

  /** Null when there is no such sandbox (any more). */
  find(id: string): Registration | null {
    return this.list().find((one) => one.id === id) ?? null
  }

  remove({ subnet }: Registration): void {
    rmSync(this.#path(parseSubnet(subnet)?.base ?? 0), { force: true })
  }

  /** Whether a sandbox is there, by its id, as the files are now. */
  activeSandboxes(): (id: string) => boolean {
    const there = new Set(
      [...this.list(), ...this.#fixed.map(({ identity }) => identity)].map(({ id }) => id),
    )
    return (id) => there.has(id)
  }

  /**
   * Registered before that time (Unix, ms), in a network that the gateway is not in: whoever began the run was killed before
   * there was one, or after it was taken away, and told nobody.
   */
  stale(before: number, isOwn: (address: string) => boolean): Registration[] {
    return this.list().filter(({ subnet }) => {
      const parsed = parseSubnet(subnet)
      if (parsed === null || isOwn(hostIn(parsed, 'proxy'))) return false
      return (this.#known.get(parsed.base)?.modified ?? before) < before
    })
  }

  list(): Registration[] {
    // It comes with the first registration.
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

/** Null for what cannot be read: an unknown sandbox is refused. */
function parseRegistration(text: string): Registration | null {
  try {
    const { id, agent, subnet, command, placeholders } = JSON.parse(text) as Record<string, unknown>
    const whole = [id, agent, subnet, command].every((part) => typeof part === 'string')
    if (!whole || typeof placeholders !== 'object' || placeholders === null) return null
    return { id, agent, subnet, command, placeholders: new Map(Object.entries(placeholders)) } as Registration
  } catch {
    return null
  }
}
