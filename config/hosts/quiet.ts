import { isDiagnostic } from '#firewall/contracts/diagnostic.js'
import type { HostPattern } from '#firewall/contracts/names.js'
import { parseHostPattern } from '#firewall/names/host-pattern.js'
import type { IssueList } from '../issues/issue.js'
import { quote } from '../issues/quote.js'

/** Hosts whose refusals nobody needs to be told of. Nothing is allowed by them, so a wildcard may be as wide as it likes. */
export function readQuiet(hosts: readonly string[] | undefined, issues: IssueList): readonly HostPattern[] {
  const patterns: HostPattern[] = []
  for (const [index, text] of (hosts ?? []).entries()) {
    const pattern = parseHostPattern(text, true)
    if (isDiagnostic(pattern)) issues.add(['quiet', index], pattern)
    else if (patterns.some((one) => one.text === pattern.text))
      issues.add(['quiet', index], { problem: `Duplicate host ${quote(text)}`, fix: 'List each host once' })
    else patterns.push(pattern)
  }
  return patterns
}
