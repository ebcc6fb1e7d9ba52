import { accessSync, constants, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { AUDIT_ROLES } from '../audit/audit.js'
import { EgressError } from '../common/errors.js'
import type { CommandIo } from '../common/io.js'
import { readFiles, readLog, type LogLine } from '../logs/read.js'

/**
 * Every line of the logs that the user named: files, and directories that have some.
 *
 * @throws EgressError before the first line, for one that cannot be read
 */
export function readNamed(
  names: readonly string[],
  { cwd }: Pick<CommandIo, 'cwd'>,
  onDamage: () => void,
): AsyncGenerator<LogLine> {
  const logs = names.map((name) => {
    const path = resolve(cwd, name)
    return isDirectory(path, name) ? readLog(path, AUDIT_ROLES, onDamage) : readFiles([path], onDamage)
  })
  return oneAfterAnother(logs)
}

async function* oneAfterAnother(logs: readonly AsyncGenerator<LogLine>[]): AsyncGenerator<LogLine> {
  for (const log of logs) yield* log
}

function isDirectory(path: string, name: string): boolean {
  try {
    accessSync(path, constants.R_OK)
    return statSync(path).isDirectory()
  } catch (cause) {
    throw new EgressError({
      code: 'EGRESS_NO_LOG',
      problem: `Cannot read ${name} (${(cause as NodeJS.ErrnoException).code ?? 'unknown error'})`,
      fix: 'Name a file of the audit log, such as http.ndjson, or the directory that has them',
      cause,
    })
  }
}

/** What was left out of an output is said. */
export function tellDamaged(damaged: number, { stderr }: Pick<CommandIo, 'stderr'>): void {
  if (damaged > 0) stderr.write(`egress: ${String(damaged)} damaged lines were skipped\n`)
}
