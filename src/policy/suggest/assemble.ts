import type { Preset } from '#config/presets/preset.js'
import type { Scheme } from '#firewall/contracts/origin.js'
import { defaultPort } from '#firewall/names/default-port.js'
import type { PolicyOnDisk } from '../../common/policy-file.js'
import type { Want } from './evidence.js'
import { fits, hostsOf, isComplete, presetOfHost } from './presets.js'
import type { Proposal } from './proposal.js'
import { hasPresetRules, type Step } from './propose.js'

type Reach = Extract<Step, { kind: 'host' }>

/** Paths with one parent from which on that is said. */
const MANY_PATHS = 8

/** The steps as parts of one fragment: presets where they fit, one entry for each host, one rule for each path. */
export function assemble(
  steps: readonly Step[],
  loaded: PolicyOnDisk,
  rejected: ReadonlySet<string>,
): Proposal[] {
  const byHost = groupBy(
    steps.filter((step) => step.kind === 'host'),
    ({ host }) => host,
  )
  const used = new Set<string>()
  const proposals: Proposal[] = []
  for (const [host, reaches] of byHost) {
    if (used.has(host)) continue
    const preset = presetOfHost(host)
    const isFree = preset !== null && !loaded.policy.services.has(preset.name) && !rejected.has(preset.name)
    const together = preset === null ? [] : hostsOf(preset).flatMap((one) => byHost.get(one) ?? [])
    if (preset !== null && isFree && isComplete(preset) && fits(preset, wantsOf(together))) {
      for (const one of hostsOf(preset)) used.add(one)
      proposals.push(...usePreset(preset, wantsOf(together), loaded))
    } else proposals.push(...entriesOf(host, reaches, preset, loaded))
  }
  return [...proposals, ...rulesOf(steps, loaded), ...listsOf(steps)]
}

function usePreset(preset: Preset, wants: readonly Want[], loaded: PolicyOnDisk): Proposal[] {
  const agents = agentsOf(wants).filter((agent) => loaded.policy.agents.get(agent)?.services !== null)
  return [
    {
      kind: 'preset',
      preset: preset.name,
      hosts: hostsOf(preset),
      wants,
      warnings: [`preset ${preset.name}: ${preset.description}`],
    },
    ...agents.map((agent): Proposal => {
      const own = wants.filter((want) => want.agent === agent)
      return { kind: 'agent-list', agent, key: 'services', name: preset.name, wants: own, warnings: [] }
    }),
  ]
}

/** One entry for each origin and set of methods, so that no path is allowed a method that nobody used on it. */
function entriesOf(
  host: string,
  reaches: readonly Reach[],
  preset: Preset | null,
  loaded: PolicyOnDisk,
): Proposal[] {
  const nameless = reaches.filter(({ origin }) => origin === null)
  const placed = reaches.filter(({ origin }) => origin !== null)
  const origins = groupBy(placed, ({ origin }) => `${origin?.scheme ?? ''} ${String(origin?.port)}`)
  const entries: Proposal[] = []
  const others: Reach[] = []
  for (const same of origins.values()) {
    const { scheme, port } = same[0]?.origin ?? HTTPS
    const known = same.filter(({ path }) => path !== null)
    const unknown = same.filter(({ path }) => path === null)
    if (known.length === 0) {
      entries.push(wholeHost(host, scheme, port, wantsOf(unknown)))
      continue
    }
    others.push(...unknown)
    const methods = groupBy(known, ({ path }) => path ?? '')
    const sets = groupBy([...methods], ([, reaching]) => methodsOf(reaching).join())
    for (const [set, paths] of sets) {
      const texts = paths.map(([path]) => path).sort()
      const wants = wantsOf(paths.flatMap(([, reaching]) => reaching))
      const warnings = [...plainWarning(scheme), ...parentsOf(texts)]
      entries.push({
        kind: 'host',
        host,
        scheme,
        port,
        methods: set.split(','),
        paths: texts,
        wants,
        warnings,
      })
    }
  }
  if (entries.length === 0) entries.push(wholeHost(host, HTTPS.scheme, HTTPS.port, []))
  const [first, ...rest] = entries
  if (first === undefined) return []
  const extra =
    preset === null ? [] : [`preset ${preset.name} is for this host: egress presets ${preset.name}`]
  const joined = {
    ...first,
    wants: [...wantsOf([...nameless, ...others]), ...first.wants],
    warnings: [...extra, ...first.warnings, ...sharedWarning(wantsOf(reaches), loaded)],
  }
  return [joined, ...rest, ...allowLists(host, wantsOf(reaches), loaded)]
}

const HTTPS = { scheme: 'https', port: 443 } as const

function wholeHost(host: string, scheme: Scheme, port: number, wants: readonly Want[]): Proposal {
  const warnings = [
    'only its name is known, so every path may be read: list `paths`, or run with --observe to see them',
    ...plainWarning(scheme),
  ]
  return { kind: 'host', host, scheme, port, methods: ['GET', 'HEAD'], paths: null, wants, warnings }
}

/** Agents that list hosts have to list a new one. */
function allowLists(host: string, wants: readonly Want[], { policy }: PolicyOnDisk): Proposal[] {
  const ids = policy.destinations.filter((one) => one.service === null && one.host.text === host)
  return agentsOf(wants).flatMap((agent): Proposal[] => {
    const allow = policy.agents.get(agent)?.allow ?? null
    if (allow === null || ids.some(({ id }) => allow.includes(id))) return []
    const own = wants.filter((want) => want.agent === agent)
    return [{ kind: 'agent-list', agent, key: 'allow', name: host, wants: own, warnings: [] }]
  })
}

function rulesOf(steps: readonly Step[], loaded: PolicyOnDisk): Proposal[] {
  const rules = steps.filter((step) => step.kind === 'rule' || step.kind === 'agent-rule')
  const same = groupBy(rules, (step) =>
    JSON.stringify([step.kind, step.kind === 'rule' ? null : step.agent, step.service, step.path]),
  )
  return [...same.values()].flatMap((group): Proposal[] => {
    const [first] = group
    if (first === undefined) return []
    const { service, path } = first
    const rule = `${methodsOf(group).join()} ${path}`
    const wants = wantsOf(group)
    if (first.kind === 'agent-rule')
      return [{ kind: 'agent-rule', agent: first.agent, service, rule, wants, warnings: [] }]
    const key = hasPresetRules(service, loaded) ? 'extra_rules' : 'rules'
    const { credential = null, targets = [] } = loaded.policy.services.get(service) ?? {}
    const warnings = [
      ...(credential === null ? [] : [`it goes with the credential ${credential.id}`]),
      ...(targets.length > 1 ? ['it holds for every target of the service'] : []),
    ]
    return [{ kind: 'rule', service, key, rule, wants, warnings }]
  })
}

function listsOf(steps: readonly Step[]): Proposal[] {
  const lists = steps.filter((step) => step.kind === 'agent-list')
  const same = groupBy(lists, ({ agent, name }) => `${agent} ${name}`)
  return [...same.values()].flatMap((group): Proposal[] => {
    const [first] = group
    if (first === undefined) return []
    const { agent, name } = first
    return [{ kind: 'agent-list', agent, key: 'allow', name, wants: wantsOf(group), warnings: [] }]
  })
}

function plainWarning(scheme: Scheme): string[] {
  return scheme === 'http' ? ['without encryption'] : []
}

/** Agents that did not ask for it, and get it because they may use every host. */
function sharedWarning(wants: readonly Want[], { policy }: PolicyOnDisk): string[] {
  const asked = agentsOf(wants)
  const others = [...policy.agents.values()]
    .filter(({ name, allow }) => allow === null && !asked.includes(name))
    .map(({ name }) => name)
  return others.length === 0 ? [] : [`${others.join(', ')} may use it too`]
}

function parentsOf(paths: readonly string[]): string[] {
  const parents = groupBy(paths, (path) => path.slice(0, path.lastIndexOf('/')))
  return [...parents]
    .filter(([, below]) => below.length >= MANY_PATHS)
    .map(
      ([parent, below]) =>
        `${String(below.length)} paths are below ${parent === '' ? '/' : parent}: one pattern may be what you want`,
    )
}

function methodsOf(steps: readonly { readonly method: string | null }[]): string[] {
  return [...new Set(steps.flatMap(({ method }) => (method === null ? [] : [method])))].sort()
}

function agentsOf(wants: readonly Want[]): string[] {
  return [...new Set(wants.map(({ agent }) => agent))].sort()
}

function wantsOf(steps: readonly Step[]): Want[] {
  return steps.map(({ want }) => want)
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const group = groups.get(keyOf(item))
    if (group === undefined) groups.set(keyOf(item), [item])
    else group.push(item)
  }
  return groups
}

/** Whether a port is the scheme's own. */
export function isStandard(scheme: Scheme, port: number): boolean {
  return port === defaultPort(scheme)
}
