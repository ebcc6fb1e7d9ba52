import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Policy } from '#firewall/contracts/policy.js'
import { makePlaceholders } from '../common/environment.js'
import { writeWholeFile } from '../common/write-file.js'
import type { FixedNetwork } from './registry.js'

/**
 * Adds the credential placeholders of fixed networks. An agent keeps the placeholders with which it was started, so they are
 * stored across restarts, and only those for secrets that are new in the policy are added.
 */
export function withPlaceholders(
  networks: readonly FixedNetwork[],
  policy: Policy,
  directory: string,
): FixedNetwork[] {
  return networks.map(({ subnet, identity }) => {
    const file = join(directory, `${identity.id}.placeholders`)
    const placeholders = new Map([...makePlaceholders(policy, identity.agent), ...readValues(file)])
    writeWholeFile(file, JSON.stringify(Object.fromEntries(placeholders)))
    return { subnet, identity: { ...identity, placeholders } }
  })
}

function readValues(file: string): [string, string][] {
  try {
    return Object.entries(JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>)
  } catch {
    return []
  }
}
