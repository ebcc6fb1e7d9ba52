import type { Command } from 'commander'
import { usage } from '../common/errors.js'
import type { CommandIo } from '../common/io.js'

/** The commands that operate gateways which are running. */
export function addOperatorCommands(egress: Command, io: CommandIo, done: (code: number) => void): void {
  egress
    .command('sandboxes')
    .description('List the sandboxes that are running')
    .option('--json', 'Print one JSON object per line')
    .action(async ({ json = false }: { json?: boolean }) => {
      const { runSandboxes } = await import('./sandboxes.js')
      done(await runSandboxes({ json }, io, Date.now()))
    })

  egress
    .command('stop')
    .description('Cut a sandbox off and end it; or all of them, and refuse new ones')
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
    .action(async () => {
      const { startAll } = await import('./operate.js')
      done(await startAll(io))
    })

  egress
    .command('pause')
    .description('Hold the network of an agent: nothing of it passes, its processes go on')
    .argument('<agent>', 'The agent, as the policy names it')
    .action(async (agent: string) => {
      const { pauseAgent } = await import('./operate.js')
      done(await pauseAgent(agent, io))
    })

  egress
    .command('resume')
    .description('Let the network of a paused agent go on')
    .argument('<agent>', 'The agent, as the policy names it')
    .action(async (agent: string) => {
      const { resumeAgent } = await import('./operate.js')
      done(await resumeAgent(agent, io))
    })
}
