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
import type { Judge, Row } from './row.js'

/** What the attacker's name server was asked under the wildcard in the whole run must fit the budget of one sandbox. */
const withinBudget: Judge = ({ during, whole }) => {
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

const refusedByAddress: Judge = ({ inside }) => {
  const attempts = inside?.attack.attempts ?? []
  const other = attempts.find(({ said }) => !said.includes('address-refused'))
  return other === undefined
    ? { passed: true, evidence: 'the address was refused' }
    : { passed: false, evidence: brief(other) }
}

/** The labels that a question put where the wildcard's star stands; null for any other record. */
function wildcardLabels({ question }: AttackerRecord): string | null {
  const name = question?.name.toLowerCase().replace(/\.$/, '') ?? ''
  return name.endsWith(`.${NAMES.cdn}`) ? name.slice(0, -NAMES.cdn.length - 1) : null
}

export const networkRows: readonly Row[] = [
  {
    id: 'exfil-transparent',
    title: 'HTTP(S) to an unlisted host, transparent listener',
    threat: 'A request to a host of the attacker carries data out.',
    evaluate: refused,
    control: controlArrived('jira'),
  },
  {
    id: 'exfil-explicit',
    title: 'HTTP(S) to an unlisted host, explicit proxy',
    threat: 'Absolute-form and CONNECT targets name any host and port.',
    evaluate: refused,
    control: controlArrived('jira'),
  },
  {
    id: 'exfil-routes',
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
    threat: 'Databases, agents and debuggers on the host trust whoever reaches their port.',
    evaluate: refused,
    control: controlArrived('jira'),
  },
  {
    id: 'raw-socket',
    title: 'raw and packet sockets',
    threat: 'Packets of the own making get around every proxy.',
    evaluate: refused,
    control: controlArrived('jira'),
  },
  {
    id: 'dns-resolver',
    title: 'data in DNS names, our resolver',
    threat: 'A resolver that forwards carries every name to the zone of the attacker.',
    evaluate: refused,
    control: controlPassed,
  },
  {
    id: 'dns-elsewhere',
    title: 'data in DNS names, other resolvers',
    threat: 'A query to any other server is not checked by anybody.',
    evaluate: refused,
    control: controlPassed,
  },
  {
    id: 'rebinding',
    title: 'allowed name that resolves to metadata',
    threat: 'Whoever owns a name chooses its address; a metadata service gives credentials to all that ask.',
    evaluate: all(attackRan, nothingWorkedInside, noCredentialInside, refusedByAddress),
    control: controlArrived('echo', 'missing'),
  },
  {
    id: 'dns-wildcard',
    title: 'data in names below a wildcard',
    threat: 'What stands for the star is resolved upstream, so it tells the zone what it says.',
    evaluate: all(attackRan, noCredentialInside, withinBudget),
    control: controlArrived('echo', 'missing'),
  },
]
