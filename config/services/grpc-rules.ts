import { isDiagnostic } from '#firewall/contracts/diagnostic.js'
import type { Rule } from '#firewall/contracts/rule.js'
import type { RuleKinds } from '#firewall/rules/index.js'
import type { IssueList, Path } from '../issues/issue.js'
import { quote } from '../issues/quote.js'
import type { ServiceFile } from '../schema/policy.js'

/** What is denied comes first: `deny` holds whatever `allow` says. */
const EFFECTS = ['deny', 'allow'] as const

/** The rules of a `grpc` section. `path` is that of the section. */
export function readGrpcRules(
  section: ServiceFile['grpc'],
  path: Path,
  kinds: RuleKinds,
  issues: IssueList,
): readonly Rule[] {
  const rules: Rule[] = []
  if (section !== undefined && section.allow === undefined) {
    const fix = 'Add `allow: ["*/*"]`, or remove the section if the service has no gRPC'
    issues.add(path, { problem: '`grpc` allows no method', fix }, 'key')
  }
  for (const effect of EFFECTS)
    for (const [index, name] of (section?.[effect] ?? []).entries()) {
      const at = [...path, effect, index]
      const text = `GRPC ${name}`
      const parsed = kinds.parse(text)
      if (isDiagnostic(parsed)) {
        issues.add(at, parsed)
        continue
      }
      const rule: Rule = { effect, ...parsed, text, id: `${idOf(path)}.${effect}[${String(index)}]` }
      const [over] = kinds.shadowedBy(rule, rules) ?? []
      if (over !== undefined) {
        const problem = `${quote(name)} has no effect: ${quote(over.text)} (${over.id}) already matches it`
        issues.add(at, { problem, fix: 'Remove one of the two' })
      }
      rules.push(rule)
    }
  return rules
}

/** `['allow', 0, 'grpc']` is `allow[0].grpc`. */
export function idOf(path: Path): string {
  return path.reduce<string>(
    (id, step) => (typeof step === 'number' ? `${id}[${String(step)}]` : id === '' ? step : `${id}.${step}`),
    '',
  )
}
