import t from 'tap'
import { RULE_KINDS } from '#firewall/rules/index.js'
import type { Rule } from '#firewall/contracts/rule.js'
import { isDiagnostic } from '#firewall/contracts/diagnostic.js'
import { policyFragment } from './fragment.js'

function fragment(text: string, id: string, method: string, target: string, basePath = '') {
  const parsed = RULE_KINDS.parse(text)
  if (isDiagnostic(parsed)) throw new Error(parsed.problem)
  const rule: Rule = RULE_KINDS.below({ effect: 'ask', ...parsed, text, id }, basePath)
  return policyFragment({ rules: [rule], method, target, service: 'api' })
}

void t.test('the narrowest rule for exactly this method and path', (t) => {
  for (const [text, id, method, target, lines] of [
    [
      'POST,PUT /repos/*/issues',
      'services.api.rules[2]',
      'POST',
      '/repos/r/issues?x=1',
      'services:\n  api:\n    rules:\n      - allow: "POST /repos/r/issues" # above the rule that asks\n',
    ],
    [
      '* /**',
      'services.api.extra_rules[0]',
      'DELETE',
      '/base/a',
      'services:\n  api:\n    extra_rules:\n      - allow: "DELETE /base/a" # above the rule that asks\n',
    ],
    // What a pattern would read as a wildcard stays with the rule that asks.
    [
      'POST /x/*',
      'services.api.rules[0]',
      'POST',
      '/x/**',
      'services:\n  api:\n    rules:\n      - allow: "POST /x/*" # above the rule that asks\n',
    ],
    [
      'GRPC a.B/Put',
      'services.api.grpc.ask[0]',
      'POST',
      '/a.B/Put',
      'services:\n  api:\n    grpc:\n      allow: ["a.B/Put"] # and remove it from `ask`\n',
    ],
    [
      'GRAPHQL mutation createIssue',
      'services.api.graphql.ask[0]',
      'POST',
      '/graphql',
      'services:\n  api:\n    graphql:\n      allow: ["mutation createIssue"] # and remove it from `ask`\n',
    ],
  ] as const)
    t.equal(fragment(text, id, method, target), lines)
  t.equal(
    fragment('* /**', 'services.api.rules[0]', 'GET', '/base/a', '/base'),
    'services:\n  api:\n    rules:\n      - allow: "GET /a" # above the rule that asks\n',
    'below the base path',
  )
  t.match(
    fragment('POST /x', 'agents.ci.rules.api[0]', 'POST', '/x'),
    /^# agents\.ci\.rules\.api\[0\], in place of its `ask`/,
  )
  t.end()
})
