import type { Rule } from '#firewall/contracts/rule.js'
import type { RuleKinds } from '#firewall/rules/index.js'
import type { IssueList, Path } from '../issues/issue.js'
import type { ServiceFile } from '../schema/policy.js'
import { readSectionRules } from './section-rules.js'

/** What is denied comes first: `deny` holds whatever `allow` says. */
const EFFECTS = ['deny', 'ask', 'allow'] as const

/** The rules of a `grpc` section. `path` is that of the section. */
export function readGrpcRules(
  section: ServiceFile['grpc'],
  path: Path,
  kinds: RuleKinds,
  issues: IssueList,
): readonly Rule[] {
  if (section === undefined) return []
  if (section.allow === undefined && section.ask === undefined) {
    const fix = 'Add `allow: ["*/*"]`, or remove the section if the service has no gRPC'
    issues.add(path, { problem: '`grpc` allows no method', fix }, 'key')
  }
  const entries = EFFECTS.flatMap((effect) =>
    (section[effect] ?? []).map((name, index) => ({
      effect,
      key: effect,
      index,
      name,
      text: `GRPC ${name}`,
    })),
  )
  return readSectionRules(entries, path, kinds, issues)
}
