import type { Command } from 'commander'
import type { CommandIo } from '../common/io.js'
import { requireValue } from '../common/option-values.js'

/** The commands of the person who decides about requests that \`ask\` rules match. */
export function addApprovalCommands(egress: Command, io: CommandIo, done: (code: number) => void): void {
  egress
    .command('approvals')
    .description('List the requests that wait for approval, or show one in full')
    .argument('[id]', 'Approval to show')
    .option('--json', 'Print one JSON object per line')
    .action(async (id: string | undefined, { json = false }: { json?: boolean }) => {
      const { listApprovals } = await import('./approvals.js')
      done(await listApprovals({ id, json }, io))
    })

  egress
    .command('approve')
    .description('Approve a request that waits, exactly as it is, and show it')
    .argument('<id>', 'Its approval, or how the id begins')
    .option('--once', 'It may pass once (default)')
    .option('--for <duration>', 'It may pass again and again for so long, such as 15m', requireValue)
    .option('--always', 'It may pass once; also print the rule that allows such requests without asking')
    .option('--json', 'Print one JSON object')
    .action(async (id: string, flags: { once?: boolean; for?: string; always?: boolean; json?: boolean }) => {
      const { approve } = await import('./approvals.js')
      const { once = false, for: duration, always = false, json = false } = flags
      done(await approve(id, { once, for: duration, always, json }, io))
    })

  egress
    .command('deny')
    .description('Deny a request that waits for approval, or take an approval back')
    .argument('<id>', 'Its approval, or how the id begins')
    .option('--json', 'Print one JSON object')
    .action(async (id: string, { json = false }: { json?: boolean }) => {
      const { denyApproval } = await import('./approvals.js')
      done(await denyApproval(id, json, io))
    })
}
