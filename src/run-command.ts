import type { Command } from 'commander'
import { findRecipe } from './agents/index.js'
import type { CommandIo } from './common/io.js'
import { collect, requireValue } from './common/option-values.js'
import { parseLabels } from './common/labels.js'
import { parseLimits } from './sandbox/limits.js'

interface RunFlags {
  backend?: string
  image?: string
  tty?: boolean
  allowOldEngine?: boolean
  agent?: string
  policy?: string
  auditDir?: string
  workdir?: string
  write?: boolean
  home?: string | false
  mount?: string[]
  env?: string[]
  limit?: string[]
  label?: string[]
  observe?: boolean
}

/** Adds `egress run`. A word after `--` is a program as it is; another word may be a known agent, which is run by its recipe. */
export function addRunCommand(egress: Command, io: CommandIo, done: (code: number) => void): void {
  egress
    .command('run')
    .description('Run a command in a new sandbox with its own gateway')
    .usage('[options] AGENT [arguments…] | [options] -- command [arguments…]')
    .argument('<command...>', 'Agent (see `egress agents`), or command, and arguments')
    .option('--backend <name>', 'namespaces, docker or auto (default: namespaces)', requireValue)
    .option('--agent <name>', 'Agent of the policy to run as', requireValue)
    .option('--policy <file>', 'Policy file (default: egress.yaml)', requireValue)
    .option('--audit-dir <dir>', 'Directory for the audit log', requireValue)
    .option(
      '--workdir <dir>',
      'Work directory (default: the current one), read-only without --write',
      requireValue,
    )
    .option('--write', 'Let the command write to the work directory (default for a known agent)')
    .option('--no-write', 'Do not let a known agent write to the work directory')
    .option(
      '--home <name>',
      'Keep the home directory between runs: a name, `project` for one of this project (default for a known agent), or a directory',
      requireValue,
    )
    .option('--no-home', 'Give a known agent a home directory in memory')
    .option(
      '--mount <path[:rw]>',
      'Make a file or directory available at the same path; add :rw to allow writing (repeatable)',
      collect,
    )
    .option(
      '--env <NAME=VALUE>',
      'Set an environment variable in the sandbox, or remove it with -NAME (repeatable)',
      collect,
    )
    .option(
      '--limit <name=value>',
      'Limit processes, memory, tmp or files, such as memory=2g; with Docker also cpus (repeatable)',
      collect,
    )
    .option(
      '--label <name=value>',
      'Put a label into each audit record of the sandbox, such as task=123 (repeatable)',
      collect,
    )
    .option(
      '--observe',
      'Let hosts that the policy does not list pass, without credentials and recorded as observed',
    )
    .option('--image <name>', 'Image to run the command in (Docker)', requireValue)
    .option('--tty', 'Give the command a terminal even if the output is not one (Docker)')
    .option('--allow-old-engine', 'Accept an engine with a known vulnerability (Docker)')
    .passThroughOptions()
    .action(async (command: string[], flags: RunFlags) => {
      const { run } = await import('./cli/run.js')
      const { agent, policy, auditDir, workdir, write, home, mount: mounts = [], env = [], limit } = flags
      const { backend, image, tty = false, allowOldEngine = false, observe = false } = flags
      const isProgram = process.argv.at(-command.length - 1) === '--'
      const recipe = isProgram ? null : findRecipe(command[0] ?? '')
      const limits = parseLimits(limit ?? [])
      const labels = parseLabels(flags.label ?? [])
      const what = { agent, recipe, policy, auditDir, workdir, write, home, mounts, env, limits, labels }
      done(await run(command, { ...what, backend, image, tty, allowOldEngine, observe }, io))
    })
}
