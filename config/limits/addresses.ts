import { parseRange } from '#firewall/addresses/choose-proxy.js'
import type { IssueList, Path } from '../issues/issue.js'
import { quote } from '../issues/quote.js'

/** The shortest prefixes of a range: what is larger is no range of a network, but a mistake. */
const MIN_BITS = { ipv4: 8, ipv6: 8 }

/** Reads `addresses`: ranges in which a host may be, beyond the public ones. */
export function readAddresses(
  ranges: readonly string[] | undefined,
  path: Path,
  issues: IssueList,
): readonly string[] {
  const valid: string[] = []
  for (const [index, text] of (ranges ?? []).entries()) {
    const range = parseRange(text)
    if (range === null || text.startsWith('[')) {
      const fix = 'Write a range such as `203.0.113.0/24`, or one address'
      issues.add([...path, index], { problem: `Invalid address range ${quote(text)}`, fix })
    } else if (range[1] < MIN_BITS[range[0].kind()]) {
      const fix = 'List only the ranges in which the host is'
      issues.add([...path, index], { problem: `The range ${quote(text)} is too large`, fix })
    } else valid.push(text)
  }
  return valid
}
