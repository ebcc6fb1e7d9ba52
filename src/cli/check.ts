import { PolicyError } from '#config/issues/issue.js'
import type { CredentialKind } from '#firewall/contracts/credential.js'
import { describePolicy, summarisePolicy } from './check-report.js'
import { EXIT, exitCodeOf, formatError } from '../errors.js'
import type { CommandIo } from './io.js'
import { noPolicy, openPolicy } from './policy-file.js'

export interface CheckArgs {
  /** The policy file; as the settings say unless given. */
  readonly file?: string | undefined
  /** One JSON object instead of text. */
  readonly json?: boolean | undefined
}

/** `egress check [file]`: says in plain words what a policy means, or everything that is wrong with it. */
export async function runCheck(
  { file, json = false }: CheckArgs,
  io: CommandIo,
  kinds: readonly CredentialKind[],
): Promise<number> {
  try {
    const loaded = await openPolicy(file, io, kinds)
    if (loaded.empty === 'missing') throw noPolicy(loaded.file)
    io.stdout.write(
      json ? `${JSON.stringify(summarisePolicy(loaded, kinds))}\n` : describePolicy(loaded, kinds),
    )
    return EXIT.fine
  } catch (error) {
    if (json && error instanceof PolicyError) {
      io.stdout.write(`${JSON.stringify({ ok: false, issues: error.issues })}\n`)
    }
    io.stderr.write(formatError(error))
    return exitCodeOf(error)
  }
}
