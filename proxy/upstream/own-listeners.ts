import { networkInterfaces } from 'node:os'
import ipaddr from 'ipaddr.js'

/** Where the gateway itself listens, which no policy makes an upstream. */
export interface OwnListeners {
  has(address: string, port: number): boolean
}

/** Of a gateway whose listeners are all in the network of a sandbox. */
export const NO_LISTENERS: OwnListeners = Object.freeze({ has: () => false })

/**
 * The ports of a gateway on its own host. Threat: a name that the policy allows at private addresses leads to the admin listener, to
 * which the gateway is a client like others, or to a listener of sandboxes, so that one request goes round for ever.
 */
export class OwnPorts implements OwnListeners {
  readonly #ports = new Set<number>()

  add(port: number): void {
    this.#ports.add(port)
  }

  /** On any address of this host: most listeners listen on all of them. */
  has(address: string, port: number): boolean {
    if (!this.#ports.has(port)) return false
    const wanted = ipaddr.process(address)
    if (['loopback', 'unspecified'].includes(wanted.range())) return true
    const own = Object.values(networkInterfaces()).flatMap((all) => all ?? [])
    return own.some((one) => ipaddr.process(one.address).toString() === wanted.toString())
  }
}
