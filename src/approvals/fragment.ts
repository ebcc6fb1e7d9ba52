import type { Rule } from '#firewall/contracts/rule.js'
import { RULE_KINDS } from '#firewall/rules/index.js'
import { isDiagnostic } from '#firewall/contracts/diagnostic.js'
import { isHttpRule, type HttpRule } from '#firewall/rules/http.js'
import type { ApprovalRequest } from '#proxy/contracts/approvals.js'

/**
 * The narrowest lines of a policy that allow a request without asking. Stars that the request has are not taken for wildcards: a
 * path that no pattern stands for is left to the rule that asks.
 */
export function policyFragment({
  rules,
  method,
  target,
  service,
}: Pick<ApprovalRequest, 'rules' | 'method' | 'target' | 'service'>): string {
  return [...new Set(rules.map((rule) => fragmentFor(rule, method, target, service)))].join('')
}

function fragmentFor(rule: Rule, method: string, target: string, service: string | null): string {
  const [section = '', name = '', list = ''] = rule.id.replace(/\[\d+\]$/, '').split('.')
  const isOfService = section === 'services' && list !== ''
  const text = isHttpRule(rule) ? (narrowed(method, target, rule) ?? rule.text) : rule.text
  const place = isOfService
    ? `services:\n  ${name}:\n    ${keyOf(list)}:\n`
    : `# ${rule.id}, in place of its \`ask\`${service === null ? '' : `, and at service ${service}`}:\n`
  const note =
    isOfService && (list === 'rules' || list === 'extra_rules') ? ' # above the rule that asks' : ''
  if (list === 'grpc' || list === 'graphql')
    return `services:\n  ${name}:\n    ${list}:\n      allow: [${JSON.stringify(bare(rule.text))}] # and remove it from \`ask\`\n`
  return `${place}      - allow: ${JSON.stringify(text)}${note}\n`
}

const keyOf = (list: string) => (list === 'extra_rules' ? list : 'rules')

/** `GRPC a.B/C` and `GRAPHQL mutation x` as their sections write them. */
const bare = (text: string) => text.replace(/^GR(PC|APHQL)\s+(\/\S*\s+)?/, '')

/**
 * The rule for exactly this method and path, below the base path of the service. Null if that would be another rule than it looks
 * like: the path has characters that a pattern reads in another way.
 */
function narrowed(method: string, target: string, { match, text: ruleText }: HttpRule): string | null {
  const path = target.replace(/\?.*$/s, '')
  const pattern = (ruleText.trim().split(/\s+/)[1] ?? '').replace(/\?.*$/s, '')
  const base = match.path.text.endsWith(pattern) ? match.path.text.slice(0, -pattern.length) : null
  if (base === null || !path.startsWith(`${base}/`) || !/^[\w./~@:+,=%-]+$/.test(path)) return null
  const text = `${method} ${path.slice(base.length)}`
  return isDiagnostic(RULE_KINDS.parse(text)) ? null : text
}
