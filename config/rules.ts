import { isDiagnostic } from '#firewall/names/host-pattern.js'
import type { Rule } from '#firewall/contracts/policy.js'
import type { IssueList, Path } from './issue.js'
import { parseRuleText, shadowedBy } from './rule.js'
import type { ServiceFile } from './schema.js'
import { quote } from './redact-message.js'

/** Reads the lines of a `rules`, which stands at `path`; what is wrong goes into `issues`. */
export function readRules(lines: ServiceFile['rules'], path: Path, issues: IssueList): readonly Rule[] {
  const rules: Rule[] = []
  for (const [index, line] of lines.entries()) {
    const at = [...path, index]
    const effect = line.allow === undefined ? 'deny' : 'allow'
    const text = line.allow ?? line.deny
    if (text === undefined || (line.allow !== undefined && line.deny !== undefined)) {
      issues.add(at, {
        problem: text === undefined ? 'the rule is empty' : 'the rule both allows and denies',
        fix: 'write one `allow:` or one `deny:` for each line',
      })
      continue
    }
    const parsed = parseRuleText(text)
    if (isDiagnostic(parsed)) {
      issues.add([...at, effect], parsed)
      continue
    }
    const rule: Rule = { effect, ...parsed, text, id: `${path.join('.')}[${index}]` }
    const over = shadowedBy(rule, rules)
    if (over !== null) {
      const names = over.map(({ id, text: earlier }) => `${quote(earlier)} (${id})`).join(' and ')
      issues.add([...at, effect], {
        problem: `the rule ${quote(text)} can never decide: ${names} matches first`,
        fix: 'remove it, or move it up: the first line that matches decides',
      })
    }
    rules.push(rule)
  }
  if (rules.length === lines.length && rules.every(({ effect }) => effect === 'deny')) {
    issues.add(
      path,
      {
        problem: 'all rules deny, so the service can never be used',
        fix: 'add an `allow:` line, or remove the service',
      },
      'key',
    )
  }
  return rules
}
