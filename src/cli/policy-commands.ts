import type { Command } from 'commander'
import type { CredentialKind } from '#firewall/contracts/credential.js'
import type { CommandIo } from '../common/io.js'
import { onePolicy, requireValue } from '../common/option-values.js'
import type { FilterFlags } from './logs.js'

/** What the commands about policies get of the program. */
export interface PolicyCommands {
  readonly egress: Command
  readonly io: CommandIo
  readonly done: (code: number) => void
  readonly kinds: () => Promise<readonly CredentialKind[]>
  /** Where the audit log is. */
  readonly placeOf: (flags: { auditDir?: string }) => Promise<{ auditDir: string; isNamed: boolean }>
}

interface SuggestFlags extends FilterFlags {
  policy?: string
  auditDir?: string
  json?: boolean
}

interface TestFlags {
  junit?: string
  replay?: string
  json?: boolean
  policy?: string
}

/** The commands that say what a policy allows, and what it should. */
export function addPolicyCommands({ egress, io, done, kinds, placeOf }: PolicyCommands): void {
  egress
    .command('suggest')
    .description(
      'Print what to add to the policy, so that it allows what the audit log has as denied or observed',
    )
    .argument('[files...]', 'Files of audit logs (default: those of this machine)')
    .option('--since <time>', 'Only from this time on, such as 42m or 2026-01-31T12:00:00Z', requireValue)
    .option('--until <time>', 'Only before this time, likewise', requireValue)
    .option('--agent <name>', 'Only this agent', requireValue)
    .option('--sandbox <id>', 'Only this sandbox', requireValue)
    .option('--host <name>', 'Only this host', requireValue)
    .option('--policy <file>', 'Policy file (default: egress.yaml)', requireValue)
    .option('--audit-dir <dir>', 'Directory of the audit log', requireValue)
    .option('--json', 'Print one JSON object')
    .action(async (files: string[], flags: SuggestFlags) => {
      const { runSuggest } = await import('./suggest.js')
      const { policy, json, ...filter } = flags
      const options = { files, policy, json, filter, ...(await placeOf(flags)) }
      done(await runSuggest(options, io, await kinds(), Date.now()))
    })

  egress
    .command('diff')
    .description(
      'Say what one policy allows and forbids that another does not (exits 0 if both mean the same, 1 if not)',
    )
    .argument('<before>', 'Policy file')
    .argument('<after>', 'Policy file')
    .option('--json', 'Print one JSON object')
    .action(async (before: string, after: string, { json }: { json?: boolean }) => {
      const { runDiff } = await import('./diff.js')
      done(await runDiff({ before, after, json }, io, await kinds()))
    })

  egress
    .command('test')
    .description(
      'Run the expectations in a policy, or compare it with what was recorded (exits 1 if one fails)',
    )
    .argument('[policy]', 'Policy file (default: egress.yaml)')
    .option('--policy <file>', 'Policy file, as with the other commands', requireValue)
    .option('--junit <file>', "Write the results to a file, in JUnit's XML", requireValue)
    .option(
      '--replay <log>',
      'Instead, show which decisions in a file or directory of the audit log would change',
      requireValue,
    )
    .option('--json', 'Print one JSON object per test, or one for --replay')
    .action(async (file: string | undefined, flags: TestFlags) => {
      const { runTest } = await import('./test.js')
      const { junit, replay, json, policy } = flags
      done(await runTest({ file: onePolicy('test', file, policy), junit, replay, json }, io, await kinds()))
    })
}
