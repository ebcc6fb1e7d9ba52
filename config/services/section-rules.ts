import { isDiagnostic } from '#firewall/contracts/diagnostic.js'
import type { Rule } from '#firewall/contracts/rule.js'
import type { RuleKinds } from '#firewall/rules/index.js'
import type { IssueList, Path } from '../issues/issue.js'
import { quote } from '../issues/quote.js'

/** One line of a section such as `grpc` or `graphql`. */
export interface SectionEntry {
  readonly effect: Rule['effect']
  /** The list that it is in, and its place there. */
  readonly key: string
  readonly index: number
  /** As the policy has it, and as a line of `rules` would. */
  readonly name: string
  readonly text: string
}

/** The rules of a section that has a kind of its own. Of two that match, the earlier one decides. `path` is that of the section. */
export function readSectionRules(
  entries: readonly SectionEntry[],
  path: Path,
  kinds: RuleKinds,
  issues: IssueList,
): readonly Rule[] {
  const rules: Rule[] = []
  for (const { effect, key, index, name, text } of entries) {
    const at = [...path, key, index]
    const parsed = kinds.parse(text)
    if (isDiagnostic(parsed)) {
      issues.add(at, parsed)
      continue
    }
    if (effect !== 'deny' && kinds.denyOnly(parsed)) {
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

/** `['allow', 0, 'grpc']` is `allow[0].grpc`. */
function idOf(path: Path): string {
  return path.reduce<string>(
    (id, step) => (typeof step === 'number' ? `${id}[${String(step)}]` : id === '' ? step : `${id}.${step}`),
    '',
  )
}
