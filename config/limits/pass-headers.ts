import { isSteeringHeader } from '#firewall/rules/steering-headers.js'
import type { IssueList, Path } from '../issues/issue.js'
import { quote } from '../issues/quote.js'

/** The names of `pass_headers`, in lower case. A header that passes anyway is an error. */
export function readPassHeaders(
  names: readonly string[] | undefined,
  path: Path,
  issues: IssueList,
): readonly string[] {
  return (names ?? []).flatMap((text, index) => {
    const name = text.toLowerCase()
    if (isSteeringHeader(name)) return [name]
    const problem = `\`pass_headers\` has no effect on ${quote(text)}: it is not a header that is dropped`
    issues.add([...path, 'pass_headers', index], {
      problem,
      fix: 'Remove it: this header reaches the service anyway',
    })
    return []
  })
}
