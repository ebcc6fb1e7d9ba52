import { linkSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { randomUUID } from 'node:crypto'
import { resolve } from 'node:path'
import { EgressError, EXIT, exitCodeOf, formatError } from '../errors.js'
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
export function runInit({ file, force = false }: InitArgs, io: CommandIo): Promise<number> {
  try {
    const name = policyFile(file, io)
    writeWhole(resolve(io.cwd, name), name, force)
    io.stdout.write(`${name} written. Edit it, then run \`egress check ${name}\`.\n`)
    return Promise.resolve(EXIT.fine)
  } catch (error) {
    io.stderr.write(formatError(error))
    return Promise.resolve(exitCodeOf(error))
  }
}

/** The file appears whole or not at all; `link` refuses an existing name in the same step in which it takes it. */
function writeWhole(path: string, name: string, force: boolean): void {
  const temporary = `${path}.${randomUUID()}.tmp`
  try {
    writeFileSync(temporary, STARTER_POLICY, { flag: 'wx' })
  } catch (cause) {
    throw cannotWrite(name, cause)
  }
  try {
    if (force) renameSync(temporary, path)
    else linkSync(temporary, path)
  } catch (cause) {
    throw codeOf(cause) === 'EEXIST' ? exists(name, cause) : cannotWrite(name, cause)
  } finally {
    rmSync(temporary, { force: true })
  }
}

function exists(name: string, cause: unknown): EgressError {
  const problem = `${name} exists already`
  return new EgressError({
    code: 'EGRESS_EXISTS',
    problem,
    fix: 'choose another name, or replace it with --force',
    cause,
  })
}

function cannotWrite(name: string, cause: unknown): EgressError {
  return new EgressError({
    code: 'EGRESS_WRITE',
    problem: `${name} cannot be written (${codeOf(cause)})`,
    fix: 'choose a directory that exists and that you may write to',
    exitCode: EXIT.failed,
    cause,
  })
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
}
