import { defaultPort } from '#firewall/names/default-port.js'
import { printable } from '../../common/hostile-text.js'
import { timesText, type Sightings } from '../sightings.js'
import { describeQuestion } from '../replay.js'
import type { Want } from './evidence.js'
import type { Proposal, Refused } from './proposal.js'

/** Lines of YAML, each with the proposal that it is a part of; null for those that several share. */
export interface FragmentLine {
  readonly text: string
  readonly proposal: Proposal | null
}

/** Things that are listed as not suggested. */
const MAX_REFUSED = 50

type Of<K extends Proposal['kind']> = Extract<Proposal, { kind: K }>

/** The part of a policy that allows what is proposed, as a document of its own; empty for nothing. */
export function fragmentLines(proposals: readonly Proposal[]): readonly FragmentLine[] {
  const of = <K extends Proposal['kind']>(kind: K) =>
    proposals.filter((one): one is Of<K> => one.kind === kind)
  const lines = [
    ...section('services:', [...of('preset').flatMap(presetLines), ...serviceLines(of('rule'))]),
    ...section('allow:', of('host').flatMap(hostLines)),
    ...section('agents:', agentLines(of('agent-list'), of('agent-rule'))),
  ]
  return lines.length === 0 ? [] : [shared('---'), ...lines]
}

function section(title: string, lines: readonly FragmentLine[]): readonly FragmentLine[] {
  return lines.length === 0 ? [] : [shared(title), ...lines]
}

function shared(text: string): FragmentLine {
  return { text, proposal: null }
}

function presetLines(proposal: Of<'preset'>): FragmentLine[] {
  const { preset } = proposal
  return [...commentLines('  ', proposal), { text: `  ${preset}: { use: ${preset} }`, proposal }]
}

function serviceLines(rules: readonly Of<'rule'>[]): FragmentLine[] {
  const services = new Map(rules.map(({ service, key }) => [service, key]))
  return [...services].flatMap(([service, key]) => [
    shared(`  ${service}:`),
    shared(`    ${key}:`),
    ...rules.filter((one) => one.service === service).flatMap((one) => ruleLines('      ', one)),
  ])
}

function ruleLines(indent: string, proposal: Of<'rule'> | Of<'agent-rule'>): FragmentLine[] {
  return [...commentLines(indent, proposal), { text: `${indent}- allow: ${quoted(proposal.rule)}`, proposal }]
}

function hostLines(proposal: Of<'host'>): FragmentLine[] {
  const { host, scheme, port, methods, paths } = proposal
  const line = (text: string): FragmentLine => ({ text, proposal })
  return [
    ...commentLines('  ', proposal),
    line(`  - host: ${quoted(host)}`),
    ...(scheme === 'http' ? [line('    scheme: http')] : []),
    ...(port === defaultPort(scheme) ? [] : [line(`    ports: [${String(port)}]`)]),
    line(`    methods: [${methods.join(', ')}]`),
    ...(paths === null ? [] : [line('    paths:'), ...paths.map((path) => line(`      - ${quoted(path)}`))]),
  ]
}

function agentLines(lists: readonly Of<'agent-list'>[], rules: readonly Of<'agent-rule'>[]): FragmentLine[] {
  const agents = new Set([...lists, ...rules].map(({ agent }) => agent))
  return [...agents].flatMap((agent) => {
    const own = lists.filter((one) => one.agent === agent)
    const ownRules = rules.filter((one) => one.agent === agent)
    const listLines = (['services', 'allow'] as const).flatMap((key) => {
      const named = own.filter((one) => one.key === key)
      const items = named.map((proposal) => ({ text: `      - ${quoted(proposal.name)}`, proposal }))
      return items.length === 0 ? [] : [shared(`    ${key}:`), ...items]
    })
    const services = [...new Set(ownRules.map(({ service }) => service))]
    const narrow = services.flatMap((service) => [
      shared(`      ${service}:`),
      ...ownRules.filter((one) => one.service === service).flatMap((one) => ruleLines('        ', one)),
    ])
    return [
      shared(`  ${agent}:`),
      ...listLines,
      ...(narrow.length === 0 ? [] : [shared('    rules:'), ...narrow]),
    ]
  })
}

/** The evidence, then what to think about. */
function commentLines(indent: string, proposal: Proposal): FragmentLine[] {
  const { wants, warnings } = proposal
  return [evidenceText(wants), ...warnings].map((text) => ({
    text: `${indent}# ${commentText(text)}`,
    proposal,
  }))
}

/** How often, when, and which agents. */
export function evidenceText(wants: readonly Want[]): string {
  const [one] = wants
  if (one === undefined) return 'nobody asked for it alone'
  const total = wants.reduce<Sightings>(
    (sum, { count, first, last }) => ({
      count: sum.count + count,
      first: first < sum.first ? first : sum.first,
      last: last > sum.last ? last : sum.last,
    }),
    { count: 0, first: one.first, last: one.last },
  )
  const agents = [...new Set(wants.map(({ agent }) => agent))].sort()
  return `${timesText(total)}, by ${agents.join(', ')}`
}

/** What is not suggested and why, as comments, the most frequent first. */
export function refusedLines(refused: readonly Refused[]): readonly string[] {
  if (refused.length === 0) return []
  const groups = new Map<string, { readonly want: Want; readonly why: string; readonly wants: Want[] }>()
  for (const { want, why } of refused) {
    const key = JSON.stringify([want.question, why])
    const group = groups.get(key) ?? { want, why, wants: [] }
    group.wants.push(want)
    groups.set(key, group)
  }
  const countOf = (wants: readonly Want[]) => wants.reduce((sum, { count }) => sum + count, 0)
  const sorted = [...groups.values()].sort((a, b) => countOf(b.wants) - countOf(a.wants))
  const shown = sorted.slice(0, MAX_REFUSED)
  const more = sorted.length - shown.length
  return [
    '# Not suggested:',
    ...shown.flatMap(({ want, why, wants }) => [
      `#   ${commentText(describeQuestion(want.question))} (${commentText(evidenceText(wants))})`,
      `#     ${commentText(why)}`,
    ]),
    ...(more > 0 ? [`#   and ${String(more)} more`] : []),
  ]
}

/**
 * Text of a log in a comment. The loader looks for names of secrets in the whole text of a policy, comments included, so none must
 * come from a log.
 */
export function commentText(text: string): string {
  return printable(text, 1_000).replaceAll('${', '$\\{')
}

/** Printable ASCII in double quotes means the same in YAML as in JSON. */
function quoted(text: string): string {
  if (/[^\x20-\x7e]/.test(text)) throw new Error('text for a policy is printable ASCII')
  return JSON.stringify(text)
}
