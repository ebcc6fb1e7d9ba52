import { isDiagnostic } from '#firewall/contracts/diagnostic.js'
import type { Rule } from '#firewall/contracts/rule.js'
import type { RuleKinds } from '#firewall/rules/index.js'
import type { IssueList, Path } from '../issues/issue.js'
import { quote } from '../issues/quote.js'
import type { ServiceFile } from '../schema/policy.js'
import { idOf } from './grpc-rules.js'

/** What is denied comes first: `deny` holds whatever `allow` says. */
const KEYS = ['deny', 'allow', 'persisted'] as const

/** The rules of a `graphql` section. `path` is that of the section. */
export function readGraphqlRules(
  section: ServiceFile['graphql'],
  path: Path,
  kinds: RuleKinds,
  issues: IssueList,
): readonly Rule[] {
  if (section === undefined) return []
  if (section.allow === undefined && section.persisted === undefined) {
    const fix = 'Add `allow: [query *]`, or remove the section if the service has no GraphQL'
    issues.add(path, { problem: '`graphql` allows no operation', fix }, 'key')
  }
  const rules: Rule[] = []
  for (const key of KEYS)
    for (const [index, name] of (section[key] ?? []).entries()) {
      const at = [...path, key, index]
      const operation = key === 'persisted' ? `persisted ${name}` : name
      const text = ['GRAPHQL', ...(section.path === undefined ? [] : [section.path]), operation].join(' ')
      const parsed = kinds.parse(text)
      if (isDiagnostic(parsed)) {
        issues.add(at, parsed)
        continue
      }
      const effect = key === 'deny' ? 'deny' : 'allow'
      if (effect === 'allow' && kinds.denyOnly(parsed)) {
        issues.add(at, onlyDenies(name))
        continue
      }
      const rule: Rule = { effect, ...parsed, text, id: `${idOf(path)}.${key}[${String(index)}]` }
      const [over] = kinds.shadowedBy(rule, rules) ?? []
      if (over !== undefined) {
        const problem = `${quote(name)} has no effect: ${quote(over.text)} (${over.id}) already matches it`
        issues.add(at, { problem, fix: 'Remove one of the two' })
      }
      rules.push(rule)
    }
  return rules
}

/** For a rule that says nothing about what a request may do as a whole. */
export function onlyDenies(text: string) {
  return {
    problem: `${quote(text)} can only be denied: a field somewhere in an operation does not make it harmless`,
    fix: 'Allow root fields, such as `query repository`',
  }
}
