import { matchHost, parseHostPattern } from '#firewall/names/host-pattern.js'
import { isDiagnostic } from '#firewall/contracts/diagnostic.js'
import type { DeniedHost } from '../logs/run-denials.js'
import type { AgentRecipe } from './recipe.js'

/** Hosts that are proposed; what comes behind them is in the log. */
const MAX_PROPOSED = 40

/**
 * The policy that an agent needs. What its last run was refused is proposed in comments: who wrote the request may be an attacker,
 * so a person has to say yes to each host.
 *
 * @param denials of its last run; null if there was none
 * @param isSet whether a secret is known to be set
 */
export function agentPolicy(
  agent: AgentRecipe,
  denials: readonly DeniedHost[] | null,
  isSet: (secret: string) => boolean = () => false,
): string {
  const { name, title, services, quiet } = agent
  const known = services.filter(({ secret }) => isSet(secret))
  const used = known.length > 0 ? known : services.slice(0, 1)
  const lines = [
    `# What ${title} needs. Everything else is denied. \`egress check\` explains this file in plain English.`,
    '',
    '# The agent gets a placeholder; the gateway injects the real key. Set each in the environment, or in .env beside this file.',
    'services:',
    ...services.map((service) => {
      const { preset, secret } = service
      // One key is enough to begin with, and a missing one is an error.
      return `${used.includes(service) ? ' ' : '#'} ${preset}: { use: ${preset} } # ${secret}`
    }),
    '',
    '# Telemetry and update checks. They are refused, and the end of a run says nothing of it.',
    'quiet:',
    ...quiet.map((host) => `  - ${host.startsWith('*') ? `"${host}"` : host}`),
  ]
  return `${[...lines, ...proposals(name, title, quiet, denials)].join('\n')}\n`
}

function proposals(
  name: string,
  title: string,
  quiet: readonly string[],
  denials: readonly DeniedHost[] | null,
): string[] {
  const asked = (denials ?? []).filter(({ host }) => !quiet.some((pattern) => matches(pattern, host)))
  const shown = [...asked]
    .sort((a, b) => b.count - a.count || a.host.localeCompare(b.host))
    .slice(0, MAX_PROPOSED)
  if (shown.length === 0)
    return [
      '',
      '# Hosts that it may use besides.',
      '#allow:',
      '#  - host: pypi.org',
      '#    methods: [GET, HEAD]',
      ...(denials === null
        ? [`# Run \`egress run ${name}\`: the end of the run says what was refused.`]
        : []),
    ]
  return [
    '',
    `# What the last run of ${title} was refused. Remove the # before \`allow:\` and before each host that it should reach.`,
    '#allow:',
    ...shown.flatMap(({ host, methods, count }) => {
      const times = count === 1 ? 'once' : `${String(count)} times`
      const known = methods.length === 0 ? '[GET, HEAD]' : `[${methods.join(', ')}]`
      return [`#  - host: ${host} # ${times}`, `#    methods: ${known}`]
    }),
    ...(asked.length > shown.length
      ? [`# ${String(asked.length - shown.length)} more: egress logs --denied`]
      : []),
  ]
}

function matches(text: string, host: string): boolean {
  const pattern = parseHostPattern(text, true)
  return !isDiagnostic(pattern) && matchHost(pattern, host) !== null
}
