import type { LogRecord } from './read.js'

/** Returns the text in a colour, or unchanged if colour is off. */
export type Paint = (colour: 'red' | 'green' | 'yellow' | 'dim', text: string) => string

const CODES = { red: 31, green: 32, yellow: 33, dim: 2 } as const

/** Colours for a terminal, unless `NO_COLOR` (https://no-color.org) or `TERM=dumb` turns them off. */
export function painter(isTerminal: boolean, env: Readonly<Record<string, string | undefined>>): Paint {
  const on = isTerminal && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
  return (colour, text) => (on ? `\x1b[${String(CODES[colour])}m${text}\x1b[0m` : text)
}

/** One line of text. Control bytes are escaped. Threat: text from the sandbox that controls the user's terminal. */
export function formatRecord(record: LogRecord, paint: Paint): string {
  const time = paint('dim', record['@timestamp'].replace('T', ' '))
  return `${time} ${bodyOf(record, paint)}`
}

function bodyOf(record: LogRecord, paint: Paint): string {
  const { action } = record.event
  if (action === 'dns-query') return dnsLine(record, paint)
  if (action === 'http-close') return closeLine(record, paint)
  if (action.startsWith('http-')) return decisionLine(record, paint)
  if (action === 'secret-rotation') return rotationLine(record, paint)
  const code = record.process?.exit_code ?? null
  const parts = [
    action,
    record.egress.sandbox?.id,
    record.process?.executable,
    code === null ? null : `exit ${String(code)}`,
  ]
  return parts
    .filter((part) => part != null)
    .map(clean)
    .join(' ')
}

function rotationLine({ event, egress }: LogRecord, paint: Paint): string {
  const { name = '-', source = '-' } = egress.secret ?? {}
  const result =
    event.reason == null
      ? paint('green', 'rotated')
      : paint('red', `refresh failed, previous value in use: ${clean(event.reason)}`)
  return `http SECRET ${clean(name)} (${clean(source)}) ${result}`
}

function verdictWord({ egress }: LogRecord, paint: Paint): string {
  return egress.verdict === 'allow' ? paint('green', 'ALLOW') : paint('red', 'DENY ')
}

function dnsLine(record: LogRecord, paint: Paint): string {
  const { dns, event, egress, rule } = record
  const question = dns?.question == null ? '(unreadable)' : `${dns.question.type} ${clean(dns.question.name)}`
  const answer = [dns?.response_code ?? 'no answer', ...(dns?.resolved_ip ?? [])].join(' ')
  const why = egress.verdict === 'allow' ? (rule?.name ?? '') : (event.reason ?? '')
  const mark = egress.suspicious === true ? paint('yellow', ' SUSPICIOUS') : ''
  return `dns  ${verdictWord(record, paint)} ${question} -> ${answer} ${paint('dim', why)}${mark}`
}

function decisionLine(record: LogRecord, paint: Paint): string {
  const { url, http, event, egress, rule } = record
  const requested = http?.request?.method ?? event.action.replace('http-', '').toUpperCase()
  // The gateway's own token requests must not look like requests from the sandbox.
  const method = event.action === 'http-token' ? `TOKEN ${requested}` : requested
  const where = placeOf(url)
  const status = http?.response?.status_code == null ? '' : ` ${String(http.response.status_code)}`
  const why =
    egress.verdict === 'allow'
      ? [rule?.name, egress.credential].filter((part) => part != null).join(' + ')
      : [event.reason, egress.detail, rule?.name].filter((part) => part != null).join(', ')
  const id = (http?.request?.id ?? '').slice(0, 8)
  return `http ${verdictWord(record, paint)} ${clean(`${method} ${where}`)}${status} ${paint('dim', `${clean(why)} #${id}`)}`
}

/** As much of the URL as the request had: CONNECT has a host and port, an unknown service only a path. */
function placeOf(url: LogRecord['url']): string {
  const query = url?.query == null ? '' : `?${url.query}`
  const path = `${url?.path ?? ''}${query}`
  if (url?.domain == null) return path === '' ? '(no host)' : path
  const { scheme, domain } = url
  const standard = scheme !== null && url.port === (scheme === 'http' ? 80 : 443)
  const port = url.port === null || standard ? '' : `:${String(url.port)}`
  return `${scheme === null ? '' : `${scheme}://`}${domain}${port}${path}`
}

function closeLine({ http, event, egress }: LogRecord, paint: Paint): string {
  const id = (http?.request?.id ?? '').slice(0, 8)
  const status = http?.response?.status_code == null ? '' : `${String(http.response.status_code)} `
  const milliseconds = Math.round((event.duration ?? 0) / 1e6)
  const bytes = `${String(http?.request?.bytes ?? 0)} B up, ${String(http?.response?.bytes ?? 0)} B down`
  const redactions = egress.redactions ?? 0
  const redacted = redactions > 0 ? paint('yellow', ` REDACTED ${String(redactions)}x`) : ''
  const failed = event.reason == null ? '' : paint('red', ` ${event.reason}`)
  return `http CLOSE #${id} ${status}${bytes}, ${String(milliseconds)} ms${failed}${redacted}`
}

function clean(text: string): string {
  return text.replace(
    /[\x00-\x1f\x7f-\x9f]/g,
    (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}
