import { linkSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { randomUUID } from 'node:crypto'
import { dirname, resolve } from 'node:path'
import { EgressError, EXIT, exitCodeOf, formatError } from '#src/errors.js'
import type { CommandIo } from './io.js'
import { policyFile } from './policy-file.js'
import { STARTER_POLICY } from './starter-policy.js'

export interface InitArgs {
  /** Where to write the policy; as the settings say unless given. */
  readonly file?: string | undefined
  /** Replace a file that is there. */
  readonly force?: boolean | undefined
}

/** `egress init [file]`: writes a commented policy to begin with. */
export async function runInit({ file, force = false }: InitArgs, io: CommandIo): Promise<number> {
  try {
    const name = policyFile(file, io)
    writeWhole(resolve(io.cwd, name), name, force)
    io.stdout.write(`${name} written. Edit it, then run \`egress check ${name}\`.\n`)
    return await Promise.resolve(EXIT.fine)
  } catch (error) {
    io.stderr.write(formatError(error))
    return exitCodeOf(error)
  }
}

/** The file appears whole or not at all; `link` refuses an existing name in the same step in which it takes it. */
function writeWhole(path: string, name: string, force: boolean): void {
  const temporary = `${path}.${randomUUID()}.tmp`
  try {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(temporary, STARTER_POLICY, { flag: 'wx', mode: 0o644 })
    if (force) renameSync(temporary, path)
    else linkSync(temporary, path)
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error'
    throw code === 'EEXIST'
      ? new EgressError({
          code: 'EGRESS_EXISTS',
          problem: `${name} exists already`,
          fix: 'choose another name, or replace it with --force',
          cause,
        })
      : new EgressError({
          code: 'EGRESS_WRITE',
          problem: `${name} cannot be written (${code})`,
          fix: 'choose a directory that you may write to',
          exitCode: EXIT.failed,
          cause,
        })
  } finally {
    rmSync(temporary, { force: true })
  }
}
