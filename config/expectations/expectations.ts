import { isReason } from '#firewall/contracts/reasons.js'
import type { IssueList, SourcePosition } from '../issues/issue.js'
import { quote } from '../issues/quote.js'
import type { ExpectationFile } from '../schema/expectations.js'

/** One entry of `tests`, as the file has it. */
export interface PolicyTest extends ExpectationFile {
  readonly position: SourcePosition
}

/** Reports keys that contradict each other: such a test would pass or fail whatever the policy says. */
export function readExpectations(
  files: readonly ExpectationFile[] | undefined,
  issues: IssueList,
): readonly PolicyTest[] {
  return (files ?? []).map((file, index) => {
    const path = ['tests', index]
    const { request, dns, body, expect, reason, service, credential } = file
    if ((request === undefined) === (dns === undefined))
      issues.add(path, {
        problem:
          request === undefined ? 'The test asks for nothing' : 'The test asks for a request and a name',
        fix: 'Write either `request: GET https://host/path` or `dns: host`',
      })
    else if (dns !== undefined) {
      for (const [key, value] of Object.entries({ body, service, credential }))
        if (value !== undefined)
          issues.add(
            [...path, key],
            { problem: `${quote(key)} has no effect with \`dns\``, fix: 'Remove it, or test a request' },
            'key',
          )
    }
    if (expect !== 'deny' && reason !== undefined)
      issues.add(
        [...path, 'reason'],
        {
          problem: `\`reason\` has no effect with \`expect: ${expect}\``,
          fix: 'Remove it: only denials have one',
        },
        'key',
      )
    else if (reason !== undefined && dns === undefined && !isReason(reason))
      issues.add([...path, 'reason'], {
        problem: `Unknown reason ${quote(reason)}`,
        fix: 'Use a reason of docs/denials.md, such as `no-rule`',
      })
    if (expect !== 'allow')
      for (const [key, value] of Object.entries({ service, credential }))
        if (value !== undefined)
          issues.add(
            [...path, key],
            { problem: `${quote(key)} has no effect with \`expect: ${expect}\``, fix: 'Remove it' },
            'key',
          )
    return { ...file, position: issues.position(path) }
  })
}
