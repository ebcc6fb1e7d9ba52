import { DEFAULT_AGENT } from '#firewall/contracts/identity.js'
import { EgressError } from './errors.js'

/**
 * The agent of a run: the named one, otherwise `default` if the policy has it.
 *
 * @throws EgressError
 */
export function chooseAgent(named: string | undefined, agents: ReadonlyMap<string, unknown>): string {
  const agent = named ?? DEFAULT_AGENT
  if (agents.has(agent)) return agent
  const known = [...agents.keys()].join(', ')
  throw new EgressError({
    code: 'EGRESS_UNKNOWN_AGENT',
    problem:
      named === undefined
        ? 'No agent selected, and the policy has no `default` agent'
        : `Unknown agent \`${agent}\``,
    fix: `Choose one with --agent: ${known}`,
    exitCode: 125,
  })
}
