import { PRESETS } from '#config/presets/index.js'
import type { Preset } from '#config/presets/preset.js'
import { parseRequestTarget } from '#firewall/rules/request-path.js'
import { isDiagnostic } from '#firewall/contracts/diagnostic.js'
import { RULE_KINDS } from '#firewall/rules/index.js'
import type { Rule } from '#firewall/contracts/rule.js'
import { presetRules } from '#config/presets/parameters.js'
import { httpAlternatives, isHttpRule, http } from '#firewall/rules/http.js'
import type { Want } from './evidence.js'

/** The preset that a service at this host could use; null if there is none. */
export function presetOfHost(host: string): Preset | null {
  return PRESETS.find((preset) => hostsOf(preset).includes(host)) ?? null
}

/** Hosts of its URLs, as far as these are fixed. */
export function hostsOf({ service: { url, targets = [] } }: Preset): readonly string[] {
  return [...(url === undefined ? [] : [url]), ...targets].flatMap((text) => {
    const match = /^https?:\/\/([^/:]+)/.exec(text)
    return match?.[1] === undefined ? [] : [match[1]]
  })
}

/** Whether it can be used as it is: without parameters, and without a secret. */
export function isComplete({ service, parameters = {} }: Preset): boolean {
  return (
    service.credential === undefined && Object.values(parameters).every(({ optional }) => optional === true)
  )
}

/** Whether everything that was asked of its hosts is what it is for. */
export function fits(preset: Preset, wants: readonly Want[]): boolean {
  const { url, targets = [] } = preset.service
  const origins = [...(url === undefined ? [] : [url]), ...targets]
  const rules = presetRules(preset, {}).flatMap((line): Rule[] => {
    const [effect, text] = 'allow' in line ? (['allow', line.allow] as const) : (['deny', line.deny] as const)
    const parsed = RULE_KINDS.parse(text)
    return isDiagnostic(parsed) ? [] : [{ effect, ...parsed, text, id: '' }]
  })
  return wants.every(({ question }) => {
    if (question.kind === 'name') return true
    const { scheme, host, port } = question
    const standard = port === (scheme === 'http' ? 80 : 443)
    if (!standard || !origins.includes(`${scheme ?? 'https'}://${host}`)) return false
    return question.kind === 'authority' || allows(rules, question.method, question.target)
  })
}

function allows(rules: readonly Rule[], method: string, target: string): boolean {
  const path = parseRequestTarget(target)
  if (typeof path === 'string') return false
  const subjects = httpAlternatives(method, path, [])?.flat() ?? []
  return subjects.every((subject) => {
    const first = rules.find(
      (rule) =>
        isHttpRule(rule) &&
        (rule.effect === 'deny'
          ? http.matchesLoosely?.(rule.match, subject) === true
          : http.matches(rule.match, subject)),
    )
    return first?.effect === 'allow'
  })
}
