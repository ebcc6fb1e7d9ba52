import type { HoldReason } from '#firewall/contracts/holds.js'
import type { SandboxRef } from '#firewall/contracts/identity.js'
import { holdOn } from '#firewall/policy-engine/name-policy.js'
import type { SecretPatterns } from '#firewall/secrets/secret-patterns.js'
import type { Origin } from '#firewall/contracts/origin.js'
import type { Destination } from '#firewall/contracts/policy.js'
import { Places } from '../contracts/places.js'
import type { ProxySnapshot } from './snapshot.js'

/** A response, a tunnel or a WebSocket: it goes on under the decision that let it in, also when the policy changes. */
export interface OpenStream {
  readonly sandbox: SandboxRef
  readonly origin: Origin
  /** A tunnel is any number of requests that nobody reads: it ends where the policy in force wants to read them. */
  readonly mode: Destination['mode']
  /** It must not go on. It ends, and its close record says why: `policy-changed` where the policy in force forbids the host. */
  end(reason: StreamEnd): void
  /**
   * A policy is in force with these secrets. Whoever searches does so for those in force anyway; a stream that was let in as
   * nothing to search ends.
   */
  search(secretPatterns: SecretPatterns): void
}

/** Why something that is open has to end. */
export type StreamEnd = 'policy-changed' | HoldReason

/** Everything that is open, so that a new policy can reach it. */
export class OpenStreams {
  readonly #open = new Places<OpenStream>()

  /**
   * Holds a stream until what is returned is called.
   *
   * @param decidedBy the snapshot that let the stream in
   * @param inForce asked once more in a moment: a policy may have changed between decision and opening
   */
  add(stream: OpenStream, decidedBy: ProxySnapshot, inForce: () => ProxySnapshot): () => void {
    const place = this.#open.take(stream)
    if (inForce() !== decidedBy) {
      queueMicrotask(() => {
        if (this.#open.has(place, stream)) apply(stream, inForce())
      })
    }
    return () => {
      if (this.#open.has(place, stream)) this.#open.leave(place)
    }
  }

  /** Called once for each policy that comes into force, and for each change of what an operator holds. */
  replaced(inForce: ProxySnapshot): void {
    for (const stream of this.#open.all()) apply(stream, inForce)
  }
}

function apply(stream: OpenStream, { namePolicy, secretPatterns }: ProxySnapshot): void {
  const { sandbox, origin, mode } = stream
  const held = holdOn(namePolicy.holds, sandbox)
  if (held !== null) {
    stream.end(held)
    return
  }
  const { agent } = sandbox
  const verdict = namePolicy.policyEngine.evaluateAuthority({ agent, ...origin })
  if (verdict.allowed && (mode !== 'tunnel' || verdict.destinations[0].mode === 'tunnel'))
    stream.search(secretPatterns.current())
  else stream.end('policy-changed')
}
