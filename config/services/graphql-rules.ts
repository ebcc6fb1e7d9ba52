import type { Rule } from '#firewall/contracts/rule.js'
import type { RuleKinds } from '#firewall/rules/index.js'
import type { IssueList, Path } from '../issues/issue.js'
import type { ServiceFile } from '../schema/policy.js'
import { readSectionRules } from './section-rules.js'

/** What is denied comes first: `deny` holds whatever `allow` says. */
const KEYS = ['deny', 'ask', 'allow', 'persisted'] as const

/** The rules of a `graphql` section. `path` is that of the section. */
export function readGraphqlRules(
  section: ServiceFile['graphql'],
  path: Path,
  kinds: RuleKinds,
  issues: IssueList,
): readonly Rule[] {
  if (section === undefined) return []
  if (section.allow === undefined && section.ask === undefined && section.persisted === undefined) {
    const fix = 'Add `allow: [query *]`, or remove the section if the service has no GraphQL'
    issues.add(path, { problem: '`graphql` allows no operation', fix }, 'key')
  }
  const entries = KEYS.flatMap((key) =>
    (section[key] ?? []).map((name, index) => {
      const operation = key === 'persisted' ? `persisted ${name}` : name
      const text = ['GRAPHQL', ...(section.path === undefined ? [] : [section.path]), operation].join(' ')
      const effect: Rule['effect'] = key === 'persisted' ? 'allow' : key
      return { effect, key, index, name, text }
    }),
  )
  return readSectionRules(entries, path, kinds, issues)
}
