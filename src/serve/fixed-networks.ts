import { EgressError } from '../common/errors.js'
import type { FixedNetwork } from './registry.js'
import { parseSubnet } from './subnet.js'

const VARIABLE = /^EGRESS_NETWORK_([A-Z0-9_]+)$/

/**
 * Networks of agents that sandbox-run does not start. One variable per network, so that several Compose files can be
 * combined: `EGRESS_NETWORK_RESEARCH=10.231.255.16/28 agent` makes all containers in that network one sandbox, `research`.
 *
 * @throws EgressError
 */
export function readFixedNetworks(env: Readonly<Record<string, string | undefined>>): FixedNetwork[] {
  return Object.entries(env).flatMap(([variable, value = '']) => {
    const name = VARIABLE.exec(variable)?.[1]
    if (name === undefined || value === '') return []
    const [network = '', agent = '', ...rest] = value.trim().split(/\s+/)
    const subnet = parseSubnet(network)
    if (subnet === null || agent === '' || rest.length > 0) {
      throw new EgressError({
        code: 'EGRESS_NETWORK',
        problem: `Invalid value of ${variable}: \`${value}\``,
        fix: 'Use a network of at least 8 addresses and the name of an agent, such as `10.231.255.16/28 default`',
      })
    }
    return [
      { subnet, identity: { id: name.toLowerCase().replaceAll('_', '-'), agent, placeholders: new Map() } },
    ]
  })
}
