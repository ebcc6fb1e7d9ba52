import { createRequire } from 'node:module'
import type * as Pino from 'pino'

/** The program's own log, on standard error. Traffic is in the audit log, not here. */
export interface ProgramLog {
  error(message: string, cause?: unknown): void
  warn(message: string): void
  info(message: string): void
}

/** Loads pino with the first message, because most runs log nothing. */
export function createLog(level: string, write: (line: string) => void): ProgramLog {
  let made: Pino.Logger | null = null
  const logger = () => {
    const { pino } = createRequire(import.meta.url)('pino') as typeof Pino
    return (made ??= pino({ level, base: null }, { write: (line: string) => write(humanLine(line)) }))
  }
  return {
    error: (message, cause) => logger().error(cause === undefined ? {} : { err: cause }, message),
    warn: (message) => logger().warn(message),
    info: (message) => logger().info(message),
  }
}

/** `egress: message`, like other command-line tools, followed by the other fields of the record. */
function humanLine(line: string): string {
  const { msg, ...fields } = JSON.parse(line) as Record<string, unknown>
  const extra = Object.entries(fields).filter(([name]) => name !== 'level' && name !== 'time')
  return `egress: ${String(msg)}${extra.length === 0 ? '' : ` ${JSON.stringify(Object.fromEntries(extra))}`}\n`
}
