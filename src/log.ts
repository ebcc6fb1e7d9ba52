import pino, { type Logger } from 'pino'

/** The program's own log, on standard error. Traffic is in the audit log, not here. */
export function createLog(level: string, write: (line: string) => void, json: boolean): Logger {
  const destination = json ? { write } : { write: (line: string) => write(humanLine(line)) }
  return pino({ level, base: null }, destination)
}

/** `egress: message`, as other command-line tools write; the record's other fields follow it. */
function humanLine(line: string): string {
  const { level, time, msg, ...rest } = JSON.parse(line) as Record<string, unknown>
  void level
  void time
  const extra = Object.keys(rest).length === 0 ? '' : ` ${JSON.stringify(rest)}`
  return `egress: ${String(msg)}${extra}\n`
}
