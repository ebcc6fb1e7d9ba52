import type { CredentialKind } from '#firewall/contracts/credential.js'
import { EXIT, exitCodeOf, formatError } from '../common/errors.js'
import type { CommandIo } from '../common/io.js'
import { noPolicy, openPolicy, placeOf, type PolicyOnDisk } from '../common/policy-file.js'
import { decisionChanges, type Decided, type DecisionChange } from '../policy/diff/decisions.js'
import { factChanges, type FactChange } from '../policy/diff/facts.js'
import { printable } from '../common/hostile-text.js'

export interface DiffArgs {
  readonly before: string
  readonly after: string
  readonly json?: boolean | undefined
}

/**
 * `egress diff A B`: what B allows and forbids that A does not, by what both mean and not by their text.
 *
 * @returns 0 if both mean the same, 1 if not, 2 if one of them cannot be loaded
 */
export async function runDiff(
  { before, after, json = false }: DiffArgs,
  io: CommandIo,
  kinds: readonly CredentialKind[],
): Promise<number> {
  try {
    const [a, b] = [await open(before, io, kinds), await open(after, io, kinds)]
    const decisions = await decisionChanges(a.policy, b.policy)
    const facts = factChanges(a, b)
    const isSame = decisions.length === 0 && facts.length === 0
    io.stdout.write(
      json ? `${JSON.stringify({ same: isSame, decisions, facts })}\n` : describe(decisions, facts, a, b),
    )
    return isSame ? EXIT.fine : EXIT.failed
  } catch (error) {
    io.stderr.write(formatError(error))
    return exitCodeOf(error) === EXIT.failed ? EXIT.usage : exitCodeOf(error)
  }
}

async function open(file: string, io: CommandIo, kinds: readonly CredentialKind[]): Promise<PolicyOnDisk> {
  const loaded = await openPolicy(file, io, kinds, false)
  if (loaded.empty === 'missing') throw noPolicy(loaded.file)
  return loaded
}

const TITLES = {
  allows: 'Allows what was denied:',
  asks: 'Asks a person about:',
  forbids: 'Denies what was allowed:',
  changes: 'Allows with another credential:',
} as const

function describe(
  decisions: readonly DecisionChange[],
  facts: readonly FactChange[],
  a: PolicyOnDisk,
  b: PolicyOnDisk,
): string {
  if (decisions.length === 0 && facts.length === 0) return `${a.file} and ${b.file} mean the same\n`
  const lines = (['allows', 'asks', 'forbids', 'changes'] as const).flatMap((effect) => {
    const own = decisions.filter((one) => one.effect === effect)
    return own.length === 0 ? [] : [TITLES[effect], ...own.map((one) => `  ${changeText(one, a, b)}`), '']
  })
  const others = facts.map(({ what, before, after }) => {
    if (before === null) return `  ${what}: ${after ?? ''} (new)`
    return after === null ? `  ${what}: ${before} (removed)` : `  ${what}: ${before} -> ${after}`
  })
  const all = [...lines, ...(others.length === 0 ? [] : ['Changes:', ...others, ''])]
  return `${all
    .slice(0, -1)
    .map((line) => printable(line, 2_000))
    .join('\n')}\n`
}

function changeText(change: DecisionChange, a: PolicyOnDisk, b: PolicyOnDisk): string {
  const { agents, where, methods, example, before, after, effect } = change
  const what =
    methods.length === 0 ? `${where}: ${example}` : `${methods.join(', ')} at ${where}, such as ${example}`
  const by = effect === 'forbids' && after.rule === null ? '' : `; ${ruleText(after, b)}`
  const was = before.rule === null ? '' : `, was ${ruleText(before, a)}`
  return `${agents.join(', ')}: ${what}${by}${was}`
}

function ruleText({ rule, credential }: Decided, loaded: PolicyOnDisk): string {
  const place =
    rule === null ? 'no rule' : loaded.positions.has(rule) ? `${rule} (${placeOf(loaded, rule)})` : rule
  return credential === null ? `by ${place}` : `by ${place} with ${credential}`
}
