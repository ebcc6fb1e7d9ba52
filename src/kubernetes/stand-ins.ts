import { createHmac, hkdfSync } from 'node:crypto'
import type { Policy } from '#firewall/contracts/policy.js'
import { makePlaceholders } from '../common/environment.js'

/**
 * Makes the placeholders of pods from their UIDs, so that any shard, and a shard that was restarted, knows them without having
 * kept them. They are worth nothing, but a pod must not be able to tell those of another one.
 *
 * @param authorityKey PEM of the key of the certificate authority, which all shards share
 */
export function standInsFrom(
  authorityKey: string,
): (policy: Policy, agent: string, podUid: string) => ReadonlyMap<string, string> {
  const key = Buffer.from(hkdfSync('sha256', authorityKey.trim(), '', 'agent-egress-firewall stand-ins', 32))
  return (policy, agent, podUid) =>
    makePlaceholders(policy, agent, (secret) => {
      let used = 0
      return (size) => {
        used += 1
        const info = JSON.stringify([podUid, secret, used])
        return stretch(key, info, size)
      }
    })
}

/** HMAC in counter mode (NIST SP 800-108): any number of bytes. */
function stretch(key: Buffer, info: string, size: number): Buffer {
  const blocks: Buffer[] = []
  for (let index = 0; index * 32 < size; index += 1)
    blocks.push(
      createHmac('sha256', key)
        .update(`${String(index)} ${info}`)
        .digest(),
    )
  return Buffer.concat(blocks).subarray(0, size)
}
