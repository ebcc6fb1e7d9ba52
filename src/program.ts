import { Command, CommanderError } from 'commander'
import type { CredentialKind } from '#firewall/contracts/credential.js'
import { addApprovalCommands } from './cli/approval-commands.js'
import { addExamples } from './cli/examples.js'
import type { FilterFlags } from './cli/logs.js'
import { addOperatorCommands } from './cli/operator-commands.js'
import { addPolicyCommands } from './cli/policy-commands.js'
import type { CommandIo } from './common/io.js'
import { EgressError, EXIT, exitCodeOf, formatError, usage } from './common/errors.js'
import { collect, onePolicy, requireValue, wholeNumber } from './common/option-values.js'
import { version } from './common/version.js'
import { addRunCommand } from './run-command.js'
import { shareStandardStreams } from './standard-streams.js'
import { usageError } from './usage-error.js'

// Each action loads its own command, so that `egress run` does not wait for code that only `explain` needs.

/** The code that `docker run` uses when it cannot start a container. */
const LAUNCH_FAILED_EXIT = 125

interface ServeFlags {
  policy?: string
  auditDir?: string
  admin?: string
  adminTokenFile?: string
}

interface LogsFlags extends FilterFlags {
  auditDir?: string
  follow?: boolean
  tail?: number
  json?: boolean
  format?: string
}

/** The format of `--format`, which `--json` is short for. */
function formatOf<T extends string>(flags: LogsFlags, formats: readonly T[], standard: T): T {
  const named = flags.json === true ? 'json' : (flags.format ?? standard)
  const known = formats.find((format) => format === named)
  if (known !== undefined) return known
  throw usage(`Unknown format \`${named}\``, `Use one of ${formats.join(', ')}`)
}

interface VerifyFlags {
  auditDir?: string
  publicKey?: string
  anchor?: string
  open?: boolean
  retained?: boolean
}

/** Which records to show. */
function addFilters(command: Command): Command {
  return command
    .option(
      '--since <time>',
      'Only from this time on: a duration or a time, such as 42m, 2h30m or 2026-01-31T12:00:00Z',
      requireValue,
    )
    .option('--until <time>', 'Only before this time, likewise', requireValue)
    .option('--denied', 'Only what the policy denied')
    .option('--failed', 'Only what it allowed and failed')
    .option('--limited', 'Only what it allowed and met a limit')
    .option('--host <name>', 'Only this host', requireValue)
    .option('--agent <name>', 'Only this agent', requireValue)
    .option('--sandbox <id>', 'Only this sandbox', requireValue)
    .option('--service <name>', 'Only this service', requireValue)
    .option('--credential <id>', 'Only this credential', requireValue)
    .option('--reason <id>', 'Only this reason', requireValue)
    .option('--label <name=value>', 'Only sandboxes with this label (repeatable)', collect)
    .option('--audit-dir <dir>', 'Directory of the audit log', requireValue)
}

/** Where the audit log is. */
async function placeOf({ auditDir: named }: LogsFlags, io: CommandIo) {
  const { readSettings } = await import('#config/settings.js')
  const { auditDir } = readSettings({ flags: { auditDir: named }, env: io.env, cwd: io.cwd })
  return { auditDir, isNamed: named !== undefined }
}

/** Builds the command line. Actions set the exit code; errors are thrown to \`main\`. */
function program(io: CommandIo, done: (code: number) => void): Command {
  const egress = new Command('egress')
    .description('Run AI agents in a sandbox behind an egress firewall.')
    .usage('<command> [options]')
    .version(version(), '-V, --version', 'Print the version')
    .helpOption('-h, --help', 'Show help')
    .helpCommand('help [command]', 'Show help for a command')
    .exitOverride()
    // `main` prints these errors, as it prints all others.
    .configureOutput({ outputError: () => undefined })
    .enablePositionalOptions()

  addRunCommand(egress, io, done)

  egress
    .command('serve')
    .description('Run the gateway as a server for many sandboxes (used by Docker Compose)')
    .argument('[role]', 'dns or proxy (default: both in one process)')
    .option('--policy <file>', 'Policy file (default: egress.yaml)')
    .option('--audit-dir <dir>', 'Directory for the audit log')
    .option(
      '--admin <[address:]port>',
      'Serve the admin listener over TCP, too (default: the Unix socket only)',
    )
    .option('--admin-token-file <file>', 'File with the token for that')
    .action(async (role: string | undefined, flags: ServeFlags) => {
      const { serve } = await import('./cli/serve.js')
      const { policy, auditDir, admin, adminTokenFile } = flags
      done(await serve({ role, policy, auditDir, admin, adminTokenFile }, io))
    })

  egress
    .command('reload')
    .description(
      'Make the running gateway reload its policy, and wait for the result (exits 1 if it is rejected)',
    )
    .action(async () => {
      const { runReload } = await import('./cli/reload.js')
      done(await runReload(io))
    })

  egress
    .command('doctor')
    .description('Test the isolation of a temporary sandbox (exits 1 if a check fails)')
    .option('--json', 'Print one JSON object per line')
    .option('--backend <name>', 'namespaces, docker or auto (default: namespaces)', requireValue)
    .option('--agent <name>', 'Agent of the policy to test as', requireValue)
    .option('--policy <file>', 'Policy file (default: egress.yaml)', requireValue)
    .action(async (flags: { json?: boolean; backend?: string; agent?: string; policy?: string }) => {
      const { doctor } = await import('./cli/doctor.js')
      const { json = false, backend, agent, policy } = flags
      done(await doctor({ json, backend, agent, policy }, io))
    })

  egress
    .command('check')
    .description('Validate the policy and explain it in plain English')
    .argument('[file]', 'Policy file (default: egress.yaml)')
    .option('--policy <file>', 'Policy file, as with the other commands', requireValue)
    .option('--json', 'Print one JSON object')
    .option('--live', 'Also connect to every upstream and get every token (exits 1 if one fails)')
    .action(async (file: string | undefined, flags: { policy?: string; json?: boolean; live?: boolean }) => {
      const { policy, json, live } = flags
      const { runCheck } = await import('./cli/check.js')
      done(
        await runCheck({ file: onePolicy('check', file, policy), json, live }, io, await credentialKinds()),
      )
    })

  egress
    .command('explain')
    .description(
      'Show whether a request or DNS name is allowed, and by which rule (exits 0 if allowed, 1 if denied)',
    )
    .usage('[options] METHOD URL | dns NAME')
    .argument('<request...>', 'METHOD URL, or dns NAME')
    .option('--agent <name>', 'Agent that sends the request', requireValue)
    .option('--policy <file>', 'Policy file (default: egress.yaml)', requireValue)
    .option('--json', 'Print one JSON object')
    .action(async (args: string[], flags: { agent?: string; policy?: string; json?: boolean }) => {
      const { runExplain } = await import('./cli/explain.js')
      done(await runExplain({ args, ...flags }, io, await credentialKinds()))
    })

  egress
    .command('init')
    .description('Create a commented starter policy')
    .argument('[file]', 'File to create (default: egress.yaml)')
    .option('--agent <name>', 'Create the policy that this agent needs (see `egress agents`)', requireValue)
    .option('--audit-dir <dir>', "Directory of the audit log with the agent's last run", requireValue)
    .option('--force', 'Overwrite an existing file')
    .action(
      async (file: string | undefined, flags: { agent?: string; auditDir?: string; force?: boolean }) => {
        const { runInit } = await import('./cli/init.js')
        done(await runInit({ file, ...flags }, io))
      },
    )

  egress
    .command('agents')
    .description('List the agents that `egress run NAME` knows, what each needs, and whether it is installed')
    .option('--json', 'Print one JSON object per line')
    .action(async ({ json }: { json?: boolean }) => {
      const { runAgents } = await import('./cli/agents.js')
      done(runAgents({ json }, io))
    })

  egress
    .command('presets')
    .description('List the presets that a service can `use`, or show one in full')
    .argument('[name]', 'Preset to show')
    .option('--json', 'Print one JSON object per line')
    .action(async (name: string | undefined, { json }: { json?: boolean }) => {
      const { runPresets } = await import('./cli/presets.js')
      done(runPresets({ name, json }, io, await credentialKinds()))
    })

  addOperatorCommands(egress, io, done)
  const tools = { kinds: credentialKinds, placeOf: (flags: LogsFlags) => placeOf(flags, io) }
  addPolicyCommands({ egress, io, done, ...tools })
  addApprovalCommands(egress, io, done)

  const logsCommand = egress
    .command('logs')
    .description('Show the audit log, oldest records first')
    .argument('[log]', 'dns, http or sandbox (default: all)')
    .option('-f, --follow', 'Keep printing new records as they are written')
    .option('-n, --tail <lines>', 'Show only the last lines', wholeNumber)
    .option('--json', 'Print the records unchanged, one JSON object per line')
    .option('--format <name>', 'pretty, json, csv or markdown (default: pretty)', requireValue)
    .action(async (role: string | undefined, flags: LogsFlags) => {
      const { logs, LOG_FORMATS } = await import('./cli/logs.js')
      const interrupted = new AbortController()
      process.once('SIGINT', () => interrupted.abort())
      const { follow = false, tail = null } = flags
      const format = formatOf(flags, LOG_FORMATS, 'pretty')
      const options = { ...(await placeOf(flags, io)), role, filter: flags, follow, format, tail }
      const { stdout, stderr } = process
      // Lines on the same terminal show well enough that something is read.
      const terminal = { colour: stdout.isTTY, bar: stderr.isTTY && !stdout.isTTY }
      done(await logs({ ...options, ...terminal }, io, Date.now(), interrupted.signal))
    })
  addFilters(logsCommand)

  const figures = [
    ['stats', 'Show the audit log in figures: outcomes, hosts, rules, bytes, time', 'pretty'],
    ['summary', 'Sum up the audit log for the page of a CI job', 'markdown'],
  ] as const
  for (const [name, description, standard] of figures)
    addFilters(
      logsCommand
        .command(name)
        .description(description)
        .argument('[log]', 'dns, http or sandbox (default: all)')
        .option('--json', 'Print one JSON object')
        .option('--format <name>', `pretty, json or markdown (default: ${standard})`, requireValue),
    ).action(async (role: string | undefined, _: unknown, command: Command) => {
      const { logsStats } = await import('./cli/logs-stats.js')
      const flags: LogsFlags = command.optsWithGlobals()
      const format = formatOf(flags, ['pretty', 'json', 'markdown'], standard)
      const place = await placeOf(flags, io)
      const options = { ...place, role, filter: flags, format, bar: process.stderr.isTTY }
      done(await logsStats(options, io, Date.now()))
    })

  logsCommand
    .command('show')
    .description('Show one request from its DNS query to its end')
    .argument('<id>', 'Its id, or how it begins: what stands behind # in `egress logs`')
    .option('--json', 'Print the records unchanged, one JSON object per line')
    .option('--audit-dir <dir>', 'Directory of the audit log', requireValue)
    .action(async (id: string, _: unknown, command: Command) => {
      const { logsShow } = await import('./cli/logs-show.js')
      const flags: LogsFlags = command.optsWithGlobals()
      const options = { ...(await placeOf(flags, io)), id, json: flags.json === true }
      done(await logsShow({ ...options, colour: process.stdout.isTTY }, io))
    })

  logsCommand
    .command('verify')
    .description('Check that nobody changed the audit log: hashes of all records, signatures, ends')
    .option(
      '--public-key <file>',
      'Key that must have signed it (default: the key of this machine)',
      requireValue,
    )
    .option('--anchor <file>', 'Checkpoints that were kept elsewhere, which must be in the log', requireValue)
    .option('--open', 'Accept logs that have no end, of gateways that run or were killed')
    .option('--retained', 'Accept logs of which the oldest files were deleted')
    .option('--audit-dir <dir>', 'Directory of the audit log', requireValue)
    .addHelpText(
      'after',
      '\nExit codes, of what is found first: 0 nothing, 10 edited, 11 gap, 12 cut, 13 swapped, 14 replayed, 15 foreign, 16 unsigned',
    )
    .action(async (_: unknown, command: Command) => {
      const { readSettings } = await import('#config/settings.js')
      const { verifyCommand } = await import('./cli/logs-verify.js')
      const { auditKeyDirectory } = await import('./common/sandbox-writes.js')
      const { stateDirectories } = await import('./common/state.js')
      // Commander gives options that both commands have to the outer one.
      const flags: VerifyFlags = command.optsWithGlobals()
      const { auditDir } = readSettings({ flags: { auditDir: flags.auditDir }, env: io.env, cwd: io.cwd })
      const { auditKey, resolverAuditKey } = stateDirectories(io.env)
      const keyDirectories = [auditKeyDirectory(io.env), auditKey]
      const { publicKey, anchor, open = false, retained = false } = flags
      const directories = { keyDirectories, resolverKeyDirectory: resolverAuditKey }
      const bar = process.stderr.isTTY
      done(await verifyCommand({ auditDir, publicKey, anchor, open, retained, bar, ...directories }, io))
    })

  addExamples(egress)
  return egress
}

async function credentialKinds(): Promise<readonly CredentialKind[]> {
  return (await import('#proxy/credentials/index.js')).CREDENTIAL_KINDS
}

function workingDirectory(): string {
  try {
    return process.cwd()
  } catch (cause) {
    throw new EgressError({
      code: 'EGRESS_NO_DIRECTORY',
      problem: 'The current directory was removed',
      fix: 'Change to an existing directory',
      cause,
    })
  }
}

/** Runs the command that the arguments name, and resolves with the exit code. */
export async function main(): Promise<number> {
  if (process.argv[2] === 'run') shareStandardStreams()
  // `egress logs | head`: the reader closed the pipe.
  process.stdout.on('error', (error: NodeJS.ErrnoException) =>
    process.exit(error.code === 'EPIPE' ? 0 : EXIT.failed),
  )
  let code: number = EXIT.fine
  let egress: Command | null = null
  try {
    const { stdout, stderr, env } = process
    const io: CommandIo = { stdout, stderr, env, cwd: workingDirectory() }
    egress = program(io, (result) => (code = result))
    await egress.parseAsync()
  } catch (error) {
    // `run` exits with the command's code, so its own failures need a code that commands do not use.
    const usageExit = process.argv[2] === 'run' ? LAUNCH_FAILED_EXIT : EXIT.usage
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT.fine
      // Commander has already printed the help.
      if (error.code !== 'commander.help') {
        const asked = egress?.commands.find((one) => one.name() === process.argv[2])
        process.stderr.write(formatError(usageError(error, asked?.name())))
      }
      return usageExit
    }
    process.stderr.write(formatError(error))
    return exitCodeOf(error) === EXIT.usage ? usageExit : exitCodeOf(error)
  }
  return code
}
