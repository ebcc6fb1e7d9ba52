#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import type { CredentialKind } from '#firewall/contracts/credential.js'
import type { CommandIo } from './cli/io.js'
import { EgressError, EXIT, exitCodeOf, formatError } from './errors.js'
import { parseLimits } from './limits.js'
import { shareStandardStreams } from './standard-streams.js'
import { usageError } from './usage-error.js'

// Each command is loaded by its action: an agent that starts does not wait for what `explain` needs.

const EXAMPLES = `Examples:
  egress init                                   write a commented egress.yaml
  egress check                                  say what it means, or what is wrong with it
  egress run -- python3 my_agent.py             run an agent in a sandbox behind the gateway
  egress explain GET https://api.github.com/    why a request is allowed or denied
  egress explain dns pypi.org                   the same for a name
  egress logs --denied                          what was refused, and why
  egress reload                                 put a changed policy in force (egress serve)
`

/** As `docker run` has it. */
const LAUNCH_FAILED_EXIT = 125

interface RunFlags {
  agent?: string
  policy?: string
  auditDir?: string
  workdir?: string
  write?: boolean
  mount?: string[]
  env?: string[]
  limit?: string[]
}

interface LogsFlags {
  auditDir?: string
  follow?: boolean
  tail?: number
  since?: string
  denied?: boolean
  host?: string
  sandbox?: string
  json?: boolean
}

/** Builds the command line. Actions set the exit code; errors are thrown to \`main\`. */
function program(io: CommandIo, done: (code: number) => void): Command {
  const egress = new Command('egress')
    .description('The one gateway through which a sandboxed agent reaches the outside.')
    .usage('<command> [options]')
    .addHelpText('before', EXAMPLES)
    .version(version())
    .exitOverride()
    // Errors are printed where all others are.
    .configureOutput({ outputError: () => undefined })
    .enablePositionalOptions()

  egress
    .command('run')
    .description('run a command in a sandbox of its own, behind a gateway of its own')
    .usage('[options] -- command [arguments…]')
    .argument('<command...>', 'the command and its arguments')
    .option('--agent <name>', 'which agent of the policy this is', requireValue)
    .option('--policy <file>', 'the policy (default: egress.yaml)', requireValue)
    .option('--audit-dir <dir>', 'where the audit log goes', requireValue)
    .option(
      '--workdir <dir>',
      'the work directory (default: this one), read-only unless --write',
      requireValue,
    )
    .option('--write', 'let the command write to the work directory')
    .option('--mount <path[:rw]>', 'show another file or directory at the same place (repeatable)', collect)
    .option('--env <NAME=VALUE>', 'set a variable inside (repeatable)', collect)
    .option(
      '--limit <name=value>',
      'processes, memory, tmp or files, such as memory=2g (repeatable)',
      collect,
    )
    .passThroughOptions()
    .action(async (command: string[], flags: RunFlags) => {
      const { run } = await import('./cli/run.js')
      const { agent, policy, auditDir, workdir, write = false, mount: mounts = [], env = [], limit } = flags
      const limits = parseLimits(limit ?? [])
      done(await run(command, { agent, policy, auditDir, workdir, write, mounts, env, limits }, io))
    })

  egress
    .command('serve')
    .description('go on as the gateway of sandboxes that come and go (Docker)')
    .argument('[role]', 'dns or proxy (default: both in one process)')
    .option('--policy <file>', 'the policy (default: egress.yaml)')
    .option('--audit-dir <dir>', 'where the audit log goes')
    .action(async (role: string | undefined, flags: { policy?: string; auditDir?: string }) => {
      const { serve } = await import('./cli/serve.js')
      done(await serve({ role, policy: flags.policy, auditDir: flags.auditDir }, io))
    })

  egress
    .command('reload')
    .description(
      'tell the gateway that runs here to read its policy again, and wait (exit 1: it was rejected)',
    )
    .action(async () => {
      const { runReload } = await import('./cli/reload.js')
      done(await runReload(io))
    })

  egress
    .command('doctor')
    .description(
      'try to get out of a throw-away sandbox, and print what could be reached (exit 1: something)',
    )
    .option('--json', 'one JSON object a line', false)
    .action(async (flags: { json: boolean }) => {
      const { doctor } = await import('./cli/doctor.js')
      done(await doctor(flags, io))
    })

  egress
    .command('check')
    .description('say what the policy means in plain words, or everything that is wrong with it')
    .argument('[file]', 'the policy (default: egress.yaml)')
    .option('--json', 'one JSON object')
    .action(async (file: string | undefined, { json }: { json?: boolean }) => {
      const { runCheck } = await import('./cli/check.js')
      done(await runCheck({ file, json }, io, await credentialKinds()))
    })

  egress
    .command('explain')
    .description('print the verdict on a request or a name, with its rule and reason (exit 0 allow, 1 deny)')
    .usage('[options] METHOD URL | dns NAME')
    .argument('<words...>', 'METHOD URL, or dns NAME')
    .option('--agent <name>', 'which agent asks', requireValue)
    .option('--policy <file>', 'the policy (default: egress.yaml)', requireValue)
    .option('--json', 'one JSON object')
    .action(async (args: string[], flags: { agent?: string; policy?: string; json?: boolean }) => {
      const { runExplain } = await import('./cli/explain.js')
      done(await runExplain({ args, ...flags }, io, await credentialKinds()))
    })

  egress
    .command('init')
    .description('write a commented starter policy')
    .argument('[file]', 'where to (default: egress.yaml)')
    .option('--force', 'overwrite a file that is there')
    .action(async (file: string | undefined, { force }: { force?: boolean }) => {
      const { runInit } = await import('./cli/init.js')
      done(await runInit({ file, force }, io))
    })

  egress
    .command('presets')
    .description('list what a service can `use`, or show what one fills in')
    .argument('[name]', 'the preset')
    .option('--json', 'one JSON object a line')
    .action(async (name: string | undefined, { json }: { json?: boolean }) => {
      const { runPresets } = await import('./cli/presets.js')
      done(runPresets({ name, json }, io, await credentialKinds()))
    })

  egress
    .command('logs')
    .description('show the audit log, the oldest first')
    .argument('[log]', 'dns, http or sandbox (default: all)')
    .option('-f, --follow', 'go on with what is written from now on')
    .option('-n, --tail <lines>', 'only the last lines', wholeNumber)
    .option('--since <time>', 'only from then on: 42m, 2h30m, or 2026-01-31T12:00:00Z', requireValue)
    .option('--denied', 'only what was denied')
    .option('--host <name>', 'only this host', requireValue)
    .option('--sandbox <id>', 'only this sandbox', requireValue)
    .option('--json', 'records as they are, one JSON object a line')
    .option('--audit-dir <dir>', 'where the audit log is', requireValue)
    .action(async (role: string | undefined, flags: LogsFlags) => {
      const { readSettings } = await import('#config/settings.js')
      const { logs } = await import('./cli/logs.js')
      const { auditDir } = readSettings({ flags: { auditDir: flags.auditDir }, env: io.env, cwd: io.cwd })
      const interrupted = new AbortController()
      process.once('SIGINT', () => interrupted.abort())
      const { follow = false, denied = false, json = false, tail = null, since, host, sandbox } = flags
      const isNamed = flags.auditDir !== undefined
      const options = { auditDir, isNamed, role, follow, denied, json, tail, since, host, sandbox }
      done(await logs({ ...options, colour: process.stdout.isTTY }, io, Date.now(), interrupted.signal))
    })

  return egress
}

async function credentialKinds(): Promise<readonly CredentialKind[]> {
  return (await import('#proxy/credentials/index.js')).CREDENTIAL_KINDS
}

/** An empty variable of the caller's, or `--agent -- command`, is not a value that anybody meant. */
function requireValue(text: string): string {
  if (text === '' || text.startsWith('--')) throw new InvalidArgumentError('write a value behind it.')
  return text
}

function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, requireValue(value)]
}

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('write a whole number.')
  return Number(text)
}

function version(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}

function workingDirectory(): string {
  try {
    return process.cwd()
  } catch (cause) {
    throw new EgressError({
      code: 'EGRESS_NO_DIRECTORY',
      problem: 'the current directory was removed',
      fix: 'change to one that exists',
      cause,
    })
  }
}

async function main(): Promise<number> {
  if (process.argv[2] === 'run') shareStandardStreams()
  // `egress logs | head`: the reader has seen enough.
  process.stdout.on('error', (error: NodeJS.ErrnoException) =>
    process.exit(error.code === 'EPIPE' ? 0 : EXIT.failed),
  )
  let code: number = EXIT.fine
  try {
    const { stdout, stderr, env } = process
    const io: CommandIo = { stdout, stderr, env, cwd: workingDirectory() }
    await program(io, (result) => (code = result)).parseAsync()
  } catch (error) {
    // `run` passes the command's code through, so its own failures have one that commands do not use.
    const usage = process.argv[2] === 'run' ? LAUNCH_FAILED_EXIT : EXIT.usage
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT.fine
      // It has printed help already.
      if (error.code !== 'commander.help')
        process.stderr.write(formatError(usageError(error, process.argv[2])))
      return usage
    }
    process.stderr.write(formatError(error))
    return exitCodeOf(error) === EXIT.usage ? usage : exitCodeOf(error)
  }
  return code
}

process.exitCode = await main()
