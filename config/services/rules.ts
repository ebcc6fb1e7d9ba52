import { isDiagnostic } from '#firewall/contracts/diagnostic.js'
import type { Rule } from '#firewall/contracts/rule.js'
import type { RuleKinds } from '#firewall/rules/index.js'
import type { IssueList, Path } from '../issues/issue.js'
import { quote } from '../issues/quote.js'
import type { ServiceFile } from '../schema/policy.js'
import { readGraphqlRules } from './graphql-rules.js'
import { readGrpcRules } from './grpc-rules.js'
import { onlyDenies } from './section-rules.js'

type RuleLines = NonNullable<ServiceFile['rules']>

const EFFECTS = ['allow', 'deny', 'ask'] as const

/** The rules of a service: `extra_rules`, which come first, then `rules`. `path` is the service's own. */
export function readAllRules(
  file: ServiceFile,
  path: Path,
  kinds: RuleKinds,
  issues: IssueList,
): readonly Rule[] {
  const calls = [
    ...readGrpcRules(file.grpc, [...path, 'grpc'], kinds, issues),
    ...readGraphqlRules(file.graphql, [...path, 'graphql'], kinds, issues),
  ]
  if (file.rules === undefined && file.grpc === undefined && file.graphql === undefined) {
    const fix =
      'Add `rules: [{ allow: GET /** }]`: the first rule that matches decides, and all others are denied'
    issues.add(path, { problem: 'Missing key `rules`', fix }, 'key')
  }
  const lines = file.rules ?? []
  const rules = [
    ...calls,
    ...(calls.length > 0
      ? // What a preset allows may be allowed here as well.
        readLines(lines, [...path, 'rules'], kinds, issues, file.use === undefined ? calls : [])
      : readRules(lines, [...path, 'rules'], kinds, issues)),
  ]
  if (file.extra_rules === undefined) return rules
  const at = [...path, 'extra_rules']
  if (file.use === undefined) {
    const problem = '`extra_rules` has no effect without `use`'
    issues.add(at, { problem, fix: 'Write these rules in `rules`' }, 'key')
  }
  return [...readLines(file.extra_rules, at, kinds, issues), ...rules]
}

/** Reads the `rules` at `path`; errors are added to `issues`, and their lines left out. */
export function readRules(
  lines: RuleLines,
  path: Path,
  kinds: RuleKinds,
  issues: IssueList,
): readonly Rule[] {
  const rules = readLines(lines, path, kinds, issues)
  if (lines.length > 0 && rules.length === lines.length && rules.every(({ effect }) => effect === 'deny')) {
    issues.add(
      path,
      {
        problem: 'All rules deny, so the service cannot be used',
        fix: 'Add an `allow:` rule, or remove the service',
      },
      'key',
    )
  }
  return rules
}

function readLines(
  lines: RuleLines,
  path: Path,
  kinds: RuleKinds,
  issues: IssueList,
  earlier: readonly Rule[] = [],
): readonly Rule[] {
  const rules: Rule[] = []
  for (const [index, line] of lines.entries()) {
    const at = [...path, index]
    const [effect, other] = EFFECTS.filter((key) => line[key] !== undefined)
    const text = effect === undefined ? undefined : line[effect]
    if (effect === undefined || text === undefined || other !== undefined) {
      issues.add(at, {
        problem:
          effect === undefined
            ? 'The rule is empty'
            : `The rule has both \`${effect}\` and \`${String(other)}\``,
        fix: 'Write one `allow:`, one `deny:` or one `ask:` per line',
      })
      continue
    }
    const parsed = kinds.parse(text)
    if (isDiagnostic(parsed)) {
      issues.add([...at, effect], parsed)
      continue
    }
    if (effect !== 'deny' && kinds.denyOnly(parsed)) {
      issues.add([...at, effect], onlyDenies(text))
      continue
    }
    const rule: Rule = { effect, ...parsed, text, id: `${path.join('.')}[${index}]` }
    const over = kinds.shadowedBy(rule, [...earlier, ...rules])
    if (over !== null) {
      const names = over.map(({ id, text: earlier }) => `${quote(earlier)} (${id})`).join(' and ')
      issues.add([...at, effect], {
        problem: `Rule ${quote(text)} never applies: ${names} ${over.length === 1 ? 'matches' : 'match'} first`,
        fix: 'Remove it, or move it up: the first rule that matches decides',
      })
    }
    rules.push(rule)
  }
  return rules
}
