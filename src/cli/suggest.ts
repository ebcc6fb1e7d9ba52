import type { CredentialKind } from '#firewall/contracts/credential.js'
import { AUDIT_ROLES } from '../audit/audit.js'
import { EXIT, exitCodeOf, formatError } from '../common/errors.js'
import type { CommandIo } from '../common/io.js'
import { isNamed, noPolicy, openPolicy, type PolicyOnDisk } from '../common/policy-file.js'
import { isChosen } from '../logs/filter.js'
import { readLog } from '../logs/read.js'
import { printable } from '../common/hostile-text.js'
import { describeQuestion } from '../policy/replay.js'
import { Evidence, type Want } from '../policy/suggest/evidence.js'
import { commentText, refusedLines } from '../policy/suggest/fragment.js'
import { suggest, type Suggestion } from '../policy/suggest/suggest.js'
import { readFilter, tellMissing, type FilterFlags } from './logs.js'
import { readNamed, tellDamaged } from './named-logs.js'

export interface SuggestArgs {
  /** Files of audit logs; empty for those in the directory. */
  readonly files: readonly string[]
  readonly policy?: string | undefined
  readonly auditDir: string
  /** Whether the user named the directory. */
  readonly isNamed: boolean
  readonly filter: FilterFlags
  readonly json?: boolean | undefined
}

/** `egress suggest`: the smallest addition to a policy that allows what the log says was denied, as far as that is safe to say. */
export async function runSuggest(
  args: SuggestArgs,
  io: CommandIo,
  kinds: readonly CredentialKind[],
  now: number,
): Promise<number> {
  const { files, policy, auditDir, json = false } = args
  try {
    const filter = readFilter(args.filter, now)
    const loaded = await openPolicy(policy, io, kinds, false)
    if (loaded.empty === 'missing' && isNamed(policy, io)) throw noPolicy(loaded.file)
    let damaged = 0
    const onDamage = () => (damaged += 1)
    if (files.length === 0) tellMissing({ auditDir, isNamed: args.isNamed, follow: false }, io)
    const lines = files.length > 0 ? readNamed(files, io, onDamage) : readLog(auditDir, AUDIT_ROLES, onDamage)
    const evidence = new Evidence()
    for await (const line of lines) if (isChosen(line, filter)) evidence.take(line)
    const suggestion = await suggest(evidence, loaded, kinds)
    io.stdout.write(json ? jsonText(suggestion) : describe(suggestion, evidence, loaded))
    tellDamaged(damaged, io)
    return EXIT.fine
  } catch (error) {
    io.stderr.write(formatError(error))
    return exitCodeOf(error)
  }
}

function describe(suggestion: Suggestion, evidence: Evidence, loaded: PolicyOnDisk): string {
  const { lines, allowed, refused, already } = suggestion
  const total = evidence.wants.length
  const head =
    lines.length > 0
      ? [
          `# Allows ${String(allowed.length)} of ${String(total)} names and requests that the log has as denied or observed.`,
          `# Whoever asked for them may be an attacker: read each line. Append the rest to ${commentText(loaded.file)} as it is.`,
        ]
      : [
          total === 0
            ? '# Nothing to suggest: the log has nothing that another policy would allow.'
            : '# Nothing to suggest.',
        ]
  const others = [...evidence.others].sort(([, a], [, b]) => b - a)
  const tail = [
    ...refusedLines(refused),
    ...(already.length > 0
      ? [`# ${commentText(loaded.file)} allows ${String(already.length)} more by now.`]
      : []),
    ...(others.length > 0 ? ['# Denied for other reasons than hosts and rules:'] : []),
    ...others.map(([reason, count]) => `#   ${commentText(reason)}: ${String(count)}`),
    ...(evidence.beyond > 0
      ? [`# ${String(evidence.beyond)} further denials are counted alone: see \`egress logs stats\`.`]
      : []),
  ]
  return `${[...head, ...lines, ...(tail.length > 0 && lines.length > 0 ? [''] : []), ...tail].join('\n')}\n`
}

function jsonText({ lines, allowed, refused, already }: Suggestion): string {
  const shown = ({ agent, question, count, first, last }: Want) => ({
    ...{ agent: printable(agent), asked: describeQuestion(question) },
    ...{ count, first: printable(first), last: printable(last) },
  })
  return `${JSON.stringify({
    fragment: lines.map((line) => `${line}\n`).join(''),
    allowed: allowed.map(shown),
    refused: refused.map(({ want, why }) => ({ ...shown(want), why })),
    already: already.map(shown),
  })}\n`
}
