import { isObserved } from '#firewall/contracts/observed.js'
import { defaultPort } from '#firewall/names/default-port.js'
import type { Decider, ShownEvent } from '../events/events.js'
import { outcomeOfEvent, type Judged } from './outcome.js'
import { clean } from '../common/hostile-text.js'

/** Returns the text in a colour, or unchanged if colour is off. */
export type Paint = (colour: 'red' | 'green' | 'yellow' | 'dim', text: string) => string

const CODES = { red: 31, green: 32, yellow: 33, dim: 2 } as const

/** Colours for a terminal, unless `NO_COLOR` (https://no-color.org) or `TERM=dumb` turns them off. */
export function painter(isTerminal: boolean, env: Readonly<Record<string, string | undefined>>): Paint {
  const on = isTerminal && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
  return (colour, text) => (on ? `\x1b[${String(CODES[colour])}m${text}\x1b[0m` : text)
}

/** One line for people. What the sandbox wrote is printed with its control bytes escaped: a log must not move a cursor. */
export function formatEvent(time: string, shown: ShownEvent, paint: Paint): string {
  return `${paint('dim', clean(time.replace('T', ' ')))} ${bodyOf(shown, paint)}`
}

function bodyOf({ type, event }: ShownEvent, paint: Paint): string {
  switch (type) {
    case 'query':
      return queryLine(event, paint)
    case 'decision':
      return decisionLine(event, paint)
    case 'close':
      return closeLine(event, paint)
    case 'rotation':
      return rotationLine(event, paint)
    case 'policy':
      return policyLine(event, paint)
    case 'operator':
      return paint('yellow', `OPERATOR ${words(event.action, event.agent, event.sandbox?.id ?? null)}`)
    case 'approval':
      return approvalLine(event, paint)
    case 'gap':
      return paint('red', `audit-gap: ${String(event.lost)} records of ends are missing`)
    case 'reopened':
      return paint('red', `audit-reopened: ${clean(event.problem)}`)
    case 'checkpoint':
      return paint('dim', `audit-checkpoint: ${clean(event.cause)}`)
    case 'repeat':
      return repeatLine(event, paint)
    case 'sandbox': {
      const code = event.exitCode === null ? null : `exit ${String(event.exitCode)}`
      const { sandbox, start, command } = event
      const { labels = [] } = sandbox
      if (start === undefined) return words(event.action, sandbox.id, command, code, ...labels)
      const { user, image, directory, commandLine } = start
      const where = paint('dim', words(image, `user ${user}`, directory, ...labels))
      return `${words(event.action, sandbox.id, commandLine, code)} ${where}`
    }
    case 'process':
      return words(event.action, event.version, `policy ${event.policyHash?.slice(0, 12) ?? 'none'}`)
    case 'unknown':
      return words(event.action, event.sandbox)
  }
}

type Shown<T extends ShownEvent['type']> = Extract<ShownEvent, { type: T }>['event']

function queryLine(event: Shown<'query'>, paint: Paint): string {
  const { question } = event
  const asked = question === null ? '(unreadable)' : `${question.type} ${question.name}`
  const answer = words(event.rcode ?? 'no answer', ...event.answers)
  const why = (event.verdict === 'allow' ? event.rule : event.reason) ?? ''
  const mark = event.suspicious ? paint('yellow', ' SUSPICIOUS') : ''
  return `dns  ${verdictWord(event, paint)} ${clean(asked)} -> ${answer} ${paint('dim', clean(why))}${mark}`
}

function decisionLine(event: Shown<'decision'>, paint: Paint): string {
  const asked = event.method ?? event.kind.toUpperCase()
  // What the gateway asked of its own accord must not pass for what the sandbox asked.
  const method = event.kind === 'token' ? `TOKEN ${asked}` : asked
  const status = event.status === null ? '' : ` ${String(event.status)}`
  const why =
    event.verdict === 'allow'
      ? [event.rule, event.credential].filter((part) => part !== null).join(' + ')
      : [event.reason, event.detail, event.rule].filter((part) => part !== null).join(', ')
  const place = clean(`${method} ${placeOf(event)}`)
  return `http ${verdictWord(event, paint)} ${place}${status} ${paint('dim', `${clean(why)} #${shortId(event)}`)}`
}

/** A URL, as much of one as the request had: CONNECT has host and port, an unknown route a path alone. */
function placeOf({
  scheme,
  host,
  port,
  path,
  query,
}: Pick<Shown<'decision'>, 'scheme' | 'host' | 'port' | 'path' | 'query'>): string {
  const rest = `${path ?? ''}${query ?? ''}`
  if (host === null) return rest === '' ? '(no host)' : rest
  const standard = scheme !== null && port === defaultPort(scheme)
  const shownPort = port === null || standard ? '' : `:${String(port)}`
  return `${scheme === null ? '' : `${scheme}://`}${host}${shownPort}${rest}`
}

function closeLine(event: Shown<'close'>, paint: Paint): string {
  const status = event.status === null ? '' : `${String(event.status)} `
  const bytes = `${String(event.requestBytes)} B up, ${String(event.responseBytes)} B down`
  const count = event.redactions.reduce((sum, one) => sum + one.count, 0)
  const redacted = count > 0 ? paint('yellow', ` REDACTED ${String(count)}x`) : ''
  const failed = event.reason === null ? '' : paint('red', ` ${clean(event.reason)}`)
  const milliseconds = String(Math.round(event.durationMs))
  return `http CLOSE #${shortId(event)} ${status}${bytes}, ${milliseconds} ms${failed}${redacted}`
}

function repeatLine(event: Shown<'repeat'>, paint: Paint): string {
  const { action, method, host, reason, rule, count, first, last } = event
  const what = words(action.replace('http-', '').replace('dns-', ''), method, host)
  const why = [reason, rule].filter((part) => part !== null).join(', ')
  const seconds = ((last - first) / 1000).toFixed(1)
  const times = paint('yellow', `repeated ${String(count)} times in ${seconds} s`)
  return `${action === 'dns-query' ? 'dns ' : 'http'} ${verdictWord(event, paint)} ${what} ${times} ${paint('dim', clean(why))}`
}

function rotationLine({ secret, source, problem }: Shown<'rotation'>, paint: Paint): string {
  const how = problem === null ? paint('green', 'rotated') : paint('red', `kept: ${clean(problem)}`)
  return `http SECRET ${clean(secret)} (${clean(source)}) ${how}`
}

const APPROVAL_WORDS = {
  'approval-requested': ['yellow', 'ASK  '],
  'approval-granted': ['green', 'YES  '],
  'approval-denied': ['red', 'NO   '],
  'approval-expired': ['yellow', 'LATE '],
} as const

function approvalLine(event: Shown<'approval'>, paint: Paint): string {
  const { action, id, method, by, scope, reason } = event
  const [colour, word] = APPROVAL_WORDS[action]
  const why = [by === null ? null : `by ${describeDecider(by)}`, scope, reason]
  const more = why.filter((part) => part !== null).join(', ')
  return `http ${paint(colour, word)} ${clean(`${method} ${placeOf(event)}`)} ${paint('dim', clean(`${more} approval ${id}`.trim()))}`
}

/** Who decided: `ada (uid 1000)`, `token`. */
export function describeDecider({ via, name, uid }: Decider): string {
  if (via === 'token') return name === null ? 'a token' : `token ${name}`
  if (uid === null) return name ?? 'somebody at the socket'
  return name === null ? `uid ${String(uid)}` : `${name} (uid ${String(uid)})`
}

function policyLine({ action, hash, problem }: Shown<'policy'>, paint: Paint): string {
  const id = clean(hash?.slice(0, 12) ?? 'none')
  return action === 'policy-loaded'
    ? `POLICY ${paint('green', 'loaded')} ${id}`
    : `POLICY ${paint('red', 'rejected')} ${id}, the previous policy stays in force: ${clean(problem ?? '')}`
}

/** What the policy allows and what failed, or met a limit, must not pass for what it denies. */
const WORDS = {
  allowed: ['green', 'ALLOW'],
  denied: ['red', 'DENY '],
  failed: ['yellow', 'FAIL '],
  limited: ['yellow', 'LIMIT'],
  observed: ['yellow', 'OBSERVE'],
} as const

function verdictWord(event: Judged & { readonly rule: string | null }, paint: Paint): string {
  const [colour, word] = WORDS[isObserved(event) ? 'observed' : outcomeOfEvent(event)]
  return paint(colour, word)
}

function shortId({ id }: { readonly id: string }): string {
  return clean(id.slice(0, 8))
}

function words(...parts: readonly (string | null)[]): string {
  return parts
    .filter((part) => part !== null && part !== '')
    .map((part) => clean(part ?? ''))
    .join(' ')
}
