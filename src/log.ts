import pino, { type Logger } from 'pino'

/** The program's own log, on standard error. Traffic is in the audit log, not here. */
export function createLog(level: string, write: (line: string) => void, json: boolean): Logger {
  const destination = json ? { write } : { write: (line: string) => write(humanLine(line)) }
  return pino({ level, base: null }, destination)
}

/** `egress: message`, as other command-line tools write; the record's other fields follow it. */
function humanLine(line: string): string {
  const { msg, ...fields } = JSON.parse(line) as Record<string, unknown>
  const extra = Object.entries(fields).filter(([name]) => name !== 'level' && name !== 'time')
  return `egress: ${String(msg)}${extra.length === 0 ? '' : ` ${JSON.stringify(Object.fromEntries(extra))}`}\n`
}
