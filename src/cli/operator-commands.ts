import type { Command } from 'commander'
import { usage } from '../common/errors.js'
import type { CommandIo } from '../common/io.js'

const SANDBOXES_EXAMPLES = `Examples:
  egress sandboxes                              who runs, since when, and what was denied
  egress sandboxes --json                       the same for a program, one object per line
`

const STOP_EXAMPLES = `Examples:
  egress stop sb-0123456789                     cut one sandbox off, and end it
  egress stop --all                             the same for all, and refuse new ones until \`egress start\`
`

const START_EXAMPLES = `Examples:
  egress start                                  take new sandboxes again after \`egress stop --all\`
`

const PAUSE_EXAMPLES = `Examples:
  egress pause research                         nothing of this agent passes; its processes go on
  egress resume research                        and it does again
`

/** The commands that operate gateways which are running. */
export function addOperatorCommands(egress: Command, io: CommandIo, done: (code: number) => void): void {
  egress
    .command('sandboxes')
    .description('List the sandboxes that are running')
    .addHelpText('before', SANDBOXES_EXAMPLES)
    .option('--json', 'Print one JSON object per line')
    .action(async ({ json = false }: { json?: boolean }) => {
      const { runSandboxes } = await import('./sandboxes.js')
      done(await runSandboxes({ json }, io, Date.now()))
    })

  egress
    .command('stop')
    .description('Cut a sandbox off and end it; or all of them, and refuse new ones')
    .addHelpText('before', STOP_EXAMPLES)
    .argument('[id]', 'The sandbox, as `egress sandboxes` lists it')
    .option('--all', 'Every sandbox, until `egress start`, also over a restart')
    .action(async (id: string | undefined, { all = false }: { all?: boolean }) => {
      const { stopAll, stopOne } = await import('./operate.js')
      if ((id === undefined) !== all)
        throw usage(
          all ? 'Both a sandbox and --all are given' : 'No sandbox is given',
          'Use `egress stop ID` or `egress stop --all`',
        )
      done(await (id === undefined ? stopAll(io) : stopOne(id, io)))
    })

  egress
    .command('start')
    .description('Lift `egress stop --all`: take new sandboxes again')
    .addHelpText('before', START_EXAMPLES)
    .action(async () => {
      const { startAll } = await import('./operate.js')
      done(await startAll(io))
    })

  egress
    .command('pause')
    .description('Hold the network of an agent: nothing of it passes, its processes go on')
    .addHelpText('before', PAUSE_EXAMPLES)
    .argument('<agent>', 'The agent, as the policy names it')
    .action(async (agent: string) => {
      const { pauseAgent } = await import('./operate.js')
      done(await pauseAgent(agent, io))
    })

  egress
    .command('resume')
    .description('Let the network of a paused agent go on')
    .addHelpText('before', PAUSE_EXAMPLES)
    .argument('<agent>', 'The agent, as the policy names it')
    .action(async (agent: string) => {
      const { resumeAgent } = await import('./operate.js')
      done(await resumeAgent(agent, io))
    })
}
