import { DEFAULT_NAMES } from '#firewall/names/name-profiles.js'
import { measureName } from '#firewall/names/name-features.js'
import { domainOf, MAX_NAMES, type Evidence, type Want } from './evidence.js'

/** Types of queries with which clients look for a server. */
const ADDRESS_TYPES: readonly string[] = ['A', 'AAAA', 'HTTPS', 'SVCB']

/**
 * Why a name looks as if it carried data out; null if it does not. Threat: names are the one thing that a sandbox says to an
 * attacker's name servers, and whoever lists them opens that way.
 */
export function suspicionOf(
  { question: { host }, suspicious, types }: Want,
  evidence: Evidence,
): string | null {
  const domain = domainOf(host)
  const labels = host === domain ? [] : host.slice(0, -(domain.length + 1)).split('.')
  const { features } = DEFAULT_NAMES
  const signal = measureName(labels, features).signal ?? measureName(domain.split('.'), features).signal
  if (signal !== null) return `the name looks like encoded data (${SIGNALS[signal]})`
  const made = labels.find(isMachineMade)
  if (made !== undefined) return `the label ${made} looks machine-made, as encoded data does`
  const names = evidence.names.get(domain)?.size ?? 0
  if (names > MAX_NAMES)
    return `more than ${String(MAX_NAMES)} names below ${domain} were asked for, as if they carried data`
  if (suspicious) return 'the gateway marked it as an attempt to carry data out'
  if (types.size > 0 && ![...types].some((type) => ADDRESS_TYPES.includes(type)))
    return 'nobody asked for its address, but for other records, as DNS tunnels do'
  return null
}

/** Characters of a part of a label from which on it is looked at; shorter ones carry little, and many of them are counted. */
const MIN_PART = 12
/** Longer parts are no words. */
const MAX_WORD = 19
/** Changes between letters and digits that names have: `ec2-eu1a`. */
const MAX_CHANGES = 2

/**
 * Stricter than what the resolver denies: a real name that is taken for data costs a line that somebody writes by hand, data that
 * is taken for a name would be allowed for good. Hexadecimal of 16 digits has less entropy than many words.
 */
function isMachineMade(label: string): boolean {
  return label.split(/[-_]/).some((part) => {
    if (part.length > MAX_WORD) return true
    const changes = part.match(/[a-z](?=\d)|\d(?=[a-z])/g)?.length ?? 0
    return part.length >= MIN_PART && (changes > MAX_CHANGES || /[b-df-hj-np-tv-xz]{6}/.test(part))
  })
}

const SIGNALS = {
  bytes: 'bytes that no host name has',
  length: 'too long',
  'label-length': 'a label is too long',
  entropy: 'high entropy',
} as const
