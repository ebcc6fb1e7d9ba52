import type { Command } from 'commander'
import type { CredentialKind } from '#firewall/contracts/credential.js'
import type { CommandIo } from '../common/io.js'

/** What the commands about policies get of the program. */
export interface PolicyCommands {
  readonly egress: Command
  readonly io: CommandIo
  readonly done: (code: number) => void
  readonly kinds: () => Promise<readonly CredentialKind[]>
  /** Checks the value of an option. */
  readonly requireValue: (text: string) => string
}

const TEST_EXAMPLES = `Examples:
  egress test                                   run the \`tests\` in egress.yaml
  egress test --junit results.xml               and write the results for a CI system
  egress test new.yaml --replay ~/.local/state/egress/audit
                                                which recorded decisions new.yaml would change
`

interface TestFlags {
  junit?: string
  replay?: string
  json?: boolean
  policy?: string
}

/** The commands that say what a policy allows, and what it should. */
export function addPolicyCommands({ egress, io, done, kinds, requireValue }: PolicyCommands): void {
  egress
    .command('test')
    .description(
      'Run the expectations in a policy, or compare it with what was recorded (exits 1 if one fails)',
    )
    .addHelpText('before', TEST_EXAMPLES)
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
      done(await runTest({ file: file ?? policy, junit, replay, json }, io, await kinds()))
    })
}
