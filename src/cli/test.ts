import { resolve } from 'node:path'
import type { CredentialKind } from '#firewall/contracts/credential.js'
import { EgressError, EXIT, exitCodeOf, formatError } from '../common/errors.js'
import type { CommandIo } from '../common/io.js'
import { noPolicy, openPolicy, placeOf, type PolicyOnDisk } from '../common/policy-file.js'
import { plural } from '../common/plural.js'
import { writeWholeFile } from '../common/write-file.js'
import { junitText } from '../policy/junit.js'
import { printable } from '../common/hostile-text.js'
import { timesText } from '../policy/sightings.js'
import { replay, type Change, type ReplayResult } from '../policy/replay.js'
import { runTests } from '../policy/run-tests.js'
import { Verdicts } from '../policy/verdicts.js'
import { readNamed, tellDamaged } from './named-logs.js'

export interface TestArgs {
  /** The policy file (default: the one in the settings). */
  readonly file?: string | undefined
  /** A file for the results, in JUnit's XML. */
  readonly junit?: string | undefined
  /** A file of the audit log, or a directory with one, to compare with instead. */
  readonly replay?: string | undefined
  readonly json?: boolean | undefined
}

/**
 * `egress test`: runs the `tests` of a policy through the steps of the gateway itself, or finds the recorded decisions that the
 * policy would make otherwise.
 *
 * @returns 0 if every test passes or nothing would change, 1 if not, 2 for a policy or tests with errors
 */
export async function runTest(
  { file, junit, replay: log, json = false }: TestArgs,
  io: CommandIo,
  kinds: readonly CredentialKind[],
): Promise<number> {
  try {
    const loaded = await openPolicy(file, io, kinds, false)
    if (loaded.empty === 'missing') throw noPolicy(loaded.file)
    return log === undefined
      ? await tests(loaded, io, junit, json)
      : await replayed(loaded, io, resolve(io.cwd, log), json)
  } catch (error) {
    io.stderr.write(formatError(error))
    return exitCodeOf(error)
  }
}

async function tests(
  loaded: PolicyOnDisk,
  io: CommandIo,
  junit: string | undefined,
  json: boolean,
): Promise<number> {
  const { file } = loaded
  // A policy that lost its tests must not pass.
  if (loaded.tests.length === 0)
    throw new EgressError({
      code: 'EGRESS_NO_TESTS',
      problem: `${file} has no tests`,
      fix: 'Add some, such as `tests: [{ request: "GET https://pypi.org/simple/", expect: allow }]`',
    })
  const results = await runTests(loaded)
  if (junit !== undefined) write(resolve(io.cwd, junit), junit, junitText(file, results))
  const failed = results.filter(({ failure }) => failure !== null)
  if (json) for (const result of results) io.stdout.write(`${JSON.stringify(result)}\n`)
  else {
    for (const { line, failure } of failed)
      if (failure !== null)
        io.stdout.write(
          `${file}:${String(line)}: ${printable(failure.problem, 1_000)}\n  ${printable(failure.fix)}\n`,
        )
    const passed = results.length - failed.length
    io.stdout.write(
      `${plural(passed, 'test')} passed${failed.length > 0 ? `, ${String(failed.length)} failed` : ''}\n`,
    )
  }
  return failed.length === 0 ? EXIT.fine : EXIT.failed
}

function write(path: string, name: string, text: string): void {
  try {
    writeWholeFile(path, text)
  } catch (cause) {
    throw new EgressError({
      code: 'EGRESS_WRITE',
      problem: `Cannot write ${name} (${(cause as NodeJS.ErrnoException).code ?? 'unknown error'})`,
      fix: 'Choose a file in a directory that you can write to',
      cause,
    })
  }
}

async function replayed(loaded: PolicyOnDisk, io: CommandIo, log: string, json: boolean): Promise<number> {
  let damaged = 0
  const lines = readNamed([log], io, () => (damaged += 1))
  const { policy } = loaded
  const result = await replay(lines, new Verdicts(policy), policy.agents)
  io.stdout.write(json ? `${JSON.stringify({ ...result, damaged })}\n` : describe(result, loaded))
  tellDamaged(damaged, io)
  return result.changed === 0 ? EXIT.fine : EXIT.failed
}

function describe(
  { compared, changed, changes, untold, foreign }: ReplayResult,
  loaded: PolicyOnDisk,
): string {
  const told = changes.reduce((sum, { count }) => sum + count, 0)
  const lines = [
    changed === 0
      ? `${loaded.file} would make each of ${plural(compared, 'recorded decision')} again`
      : `${loaded.file} would change ${String(changed)} of ${plural(compared, 'recorded decision')}:`,
    ...changes.map((change) => `  ${changeText(change, loaded)}`),
    ...(changed > told ? [`  and ${String(changed - told)} more`] : []),
    ...(untold > 0
      ? [
          `${String(untold)} cannot be told: they follow from bodies, headers or limits, which are not in the log`,
        ]
      : []),
    ...(foreign > 0 ? [`${String(foreign)} are of agents that ${loaded.file} does not have`] : []),
  ]
  return `${lines.join('\n')}\n`
}

function changeText(change: Change, loaded: PolicyOnDisk): string {
  const { agent, asked, was, now } = change
  const by = now.rule === null ? '' : `, by ${now.rule} (${placeOf(loaded, now.rule)})`
  const with_ = (credential: string | null) =>
    credential === null ? 'without a credential' : `with ${printable(credential)}`
  const what =
    was.verdict === now.verdict
      ? `${with_(now.credential)}, was ${with_(was.credential)}${by}`
      : now.verdict === 'allow'
        ? `allowed, was denied (${printable(was.reason ?? '')})${by}`
        : `denied (${now.reason ?? ''}), was allowed${by}`
  return `${printable(agent)}: ${asked}: ${what}; ${timesText(change)}`
}
