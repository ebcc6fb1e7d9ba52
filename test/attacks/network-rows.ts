import { DEFAULT_NAMES } from '#firewall/names/name-profiles.js'
import { NAMES } from '../demo/names.js'
import type { AttackerRecord } from '../servers/records.js'
import {
  all,
  attackRan,
  brief,
  noCredentialInside,
  nothingWorkedInside,
  refused,
  controlArrived,
  controlPassed,
} from './evaluating.js'
import type { Check, Row } from './row.js'

/** The queries under the wildcard that reached the attacker's name server in the whole run fit the budget of one sandbox. */
const withinBudget: Check = ({ during, whole }) => {
  const strays = during.attacker.filter((record) => wildcardLabels(record) === null)
  if (strays.length > 0)
    return { passed: false, evidence: `${strays.length} pieces reached the attacker otherwise` }
  const names = new Set(whole.attacker.map(wildcardLabels).filter((name) => name !== null))
  const bytes = [...names].reduce((sum, name) => sum + name.length, 0)
  const { names: maxNames, bytes: maxBytes } = DEFAULT_NAMES.budget
  return {
    passed: names.size <= maxNames && bytes <= maxBytes,
    evidence: `${bytes} of ${maxBytes} bytes budget, ${names.size} of ${maxNames} names`,
  }
}

const refusedByAddress: Check = ({ inside }) => {
  const attempts = inside?.attack.attempts ?? []
  const other = attempts.find(({ said }) => !said.includes('address-refused'))
  return other === undefined
    ? { passed: true, evidence: 'the address was denied' }
    : { passed: false, evidence: brief(other) }
}

/** The labels in place of the wildcard's star; null for any other record. */
function wildcardLabels({ question }: AttackerRecord): string | null {
  const name = question?.name.toLowerCase().replace(/\.$/, '') ?? ''
  return name.endsWith(`.${NAMES.cdn}`) ? name.slice(0, -NAMES.cdn.length - 1) : null
}

export const networkRows: readonly Row[] = [
  {
    id: 'exfil-transparent',
    hasHttp: true,
    title: 'HTTP(S) to an unlisted host, transparent listener',
    threat: "A request to an attacker's host carries data out.",
    evaluate: refused,
    control: controlArrived('jira'),
  },
  {
    id: 'exfil-explicit',
    hasHttp: true,
    title: 'HTTP(S) to an unlisted host, forward proxy',
    threat: 'Absolute-form and CONNECT targets can name any host and port.',
    evaluate: refused,
    control: controlArrived('jira'),
  },
  {
    id: 'exfil-routes',
    hasHttp: true,
    title: 'HTTP(S) to an unlisted host, base-URL listener',
    threat: 'A path or header of the base-URL listener that names a host would be an open proxy.',
    evaluate: refused,
    control: controlArrived('jira'),
  },
  {
    id: 'direct-internet',
    title: 'TCP, UDP and IPv6 around the gateway',
    threat: 'A route out makes the gateway optional.',
    evaluate: refused,
    control: controlArrived('jira'),
  },
  {
    id: 'host-loopback',
    title: "listeners of the host's loopback",
    threat: 'Databases, agents and debuggers on the host trust every client that reaches their port.',
    evaluate: refused,
    control: controlArrived('jira'),
  },
  {
    id: 'raw-socket',
    title: 'raw and packet sockets',
    threat: 'Hand-made packets bypass every proxy.',
    evaluate: refused,
    control: controlArrived('jira'),
  },
  {
    id: 'dns-resolver',
    title: 'data in DNS names, our resolver',
    threat: "A resolver that forwards queries sends every name to the attacker's name server.",
    evaluate: refused,
    control: controlPassed,
  },
  {
    id: 'dns-elsewhere',
    title: 'data in DNS names, other resolvers',
    threat: 'No policy checks a query to another server.',
    evaluate: refused,
    control: controlPassed,
  },
  {
    id: 'rebinding',
    hasHttp: true,
    title: 'allowed name that resolves to metadata',
    threat: 'The owner of a name chooses its address; a metadata service gives credentials to every client.',
    evaluate: all(attackRan, nothingWorkedInside, noCredentialInside, refusedByAddress),
    control: controlArrived('echo', 'missing'),
  },
  {
    id: 'dns-wildcard',
    title: 'data in names below a wildcard',
    threat: 'Labels in place of the star are resolved upstream, so their owner sees them.',
    evaluate: all(attackRan, noCredentialInside, withinBudget),
    control: controlArrived('echo', 'missing'),
  },
]
