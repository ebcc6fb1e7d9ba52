import { linkSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { randomUUID } from 'node:crypto'
import { resolve } from 'node:path'
import { EgressError, EXIT, exitCodeOf, formatError } from '../common/errors.js'
import type { CommandIo } from '../common/io.js'
import { policyFile } from '../common/policy-file.js'
import { STARTER_POLICY } from './starter-policy.js'

export interface InitArgs {
  /** File to create (default: the policy file in the settings). */
  readonly file?: string | undefined
  /** Replace an existing file. */
  readonly force?: boolean | undefined
}

/** `egress init [file]`: creates a commented starter policy. */
export function runInit({ file, force = false }: InitArgs, io: CommandIo): Promise<number> {
  try {
    const name = policyFile(file, io)
    writeWhole(resolve(io.cwd, name), name, force)
    io.stdout.write(`Created ${name}. Edit it, then run \`egress check ${name}\`.\n`)
    return Promise.resolve(EXIT.fine)
  } catch (error) {
    io.stderr.write(formatError(error))
    return Promise.resolve(exitCodeOf(error))
  }
}

/** Creates the whole file or nothing. `link` fails if the name exists, without a gap between the test and the use. */
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
  const problem = `${name} already exists`
  return new EgressError({
    code: 'EGRESS_EXISTS',
    problem,
    fix: 'Choose another name, or add --force to replace the file',
    cause,
  })
}

function cannotWrite(name: string, cause: unknown): EgressError {
  return new EgressError({
    code: 'EGRESS_WRITE',
    problem: `Cannot write ${name} (${codeOf(cause)})`,
    fix: 'Choose an existing directory that you can write to',
    exitCode: EXIT.failed,
    cause,
  })
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
}
