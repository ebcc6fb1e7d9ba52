import { PolicyError } from '#config/issues/issue.js'
import type { CredentialKind } from '#firewall/contracts/credential.js'
import { describePolicy, summarisePolicy } from './check-report.js'
import { describeHidden } from '../run/hiding-notes.js'
import { findMaskedPaths } from '../sandbox/masked-paths.js'
import { reservations, sweepReserved } from '../sandbox/reserved-paths.js'
import type { LiveResult } from '../live/live-check.js'
import { EXIT, exitCodeOf, formatError } from '../common/errors.js'
import type { CommandIo } from '../common/io.js'
import { noPolicy, openPolicy } from '../common/policy-file.js'

export interface CheckArgs {
  /** The policy file (default: the one in the settings). */
  readonly file?: string | undefined
  /** One JSON object instead of text. */
  readonly json?: boolean | undefined
  /** Also try upstreams and token endpoints. */
  readonly live?: boolean | undefined
}

/** `egress check [file]`: validates a policy and explains it, or lists every error in it. Exits with 1 if `--live` finds a failure. */
export async function runCheck(
  { file, json = false, live = false }: CheckArgs,
  io: CommandIo,
  kinds: readonly CredentialKind[],
): Promise<number> {
  try {
    sweepReserved(reservations())
    const loaded = await openPolicy(file, io, kinds)
    if (loaded.empty === 'missing') throw noPolicy(loaded.file)
    const tried = live ? await (await import('../live/live-check.js')).checkLive(loaded.policy) : null
    io.stdout.write(
      json
        ? `${JSON.stringify({ ...summarisePolicy(loaded, kinds, io.env), ...(tried && { live: tried }) })}\n`
        : describePolicy(loaded, kinds, io.env) + hiddenHere(io.cwd) + describeLive(tried),
    )
    return tried?.some(({ outcome }) => outcome === 'fails') === true ? EXIT.failed : EXIT.fine
  } catch (error) {
    if (json && error instanceof PolicyError) {
      io.stdout.write(`${JSON.stringify({ ok: false, issues: error.issues })}\n`)
    }
    io.stderr.write(formatError(error))
    return exitCodeOf(error)
  }
}

const OUTCOMES = { works: 'works', fails: 'FAILS', 'not-tried': 'not tried' } as const

function describeLive(tried: readonly LiveResult[] | null): string {
  if (tried === null) return ''
  const lines = tried.flatMap(({ id, what, outcome, detail, answer }) => [
    `  ${OUTCOMES[outcome]}: ${what} (${id}): ${detail}`,
    ...(answer === null ? [] : [`    the answer: ${answer}`]),
  ])
  return `\nTried from here:\n${lines.length === 0 ? '  nothing: the policy has no upstreams\n' : `${lines.join('\n')}\n`}`
}

/** A check must not take long in a directory that is no project. */
const BOUNDS = { entries: 100_000, masks: 1000 }

/** What a sandbox started in this directory would not see; '' if it would see everything. */
function hiddenHere(directory: string): string {
  try {
    const hidden = findMaskedPaths(directory, BOUNDS)
    return hidden.length === 0 ? '' : `\n${describeHidden({ hidden, workdir: directory })}`
  } catch {
    return '\nThis directory has too many files to list those that are hidden from sandboxes.\n'
  }
}
