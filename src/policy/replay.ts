import { authorityText } from '#firewall/names/default-port.js'
import type { LogLine } from '../logs/read.js'
import { printable } from '../common/hostile-text.js'
import type { Sightings } from './sightings.js'
import { isByPolicy, recordedIn, type Recorded, type RecordedQuestion } from './recorded.js'
import { answerTo, type Answer } from './run-tests.js'
import type { Verdicts } from './verdicts.js'

/** A recorded decision that this policy would make otherwise. */
export interface Change extends Sightings {
  readonly agent: string
  /** `GET https://api.example/x`, in printable ASCII. */
  readonly asked: string
  readonly was: Pick<Answer, 'verdict' | 'service' | 'credential'> & {
    readonly reason: string | null
    readonly rule: string | null
  }
  readonly now: Answer
}

export interface ReplayResult {
  /** Decisions that were compared. */
  readonly compared: number
  readonly changed: number
  /** The most frequent first; at most `MAX_CHANGES`. */
  readonly changes: readonly Change[]
  /** Decisions that follow from what is not in the log: bodies, headers, limits. */
  readonly untold: number
  /** Those of agents that the policy does not have. */
  readonly foreign: number
}

/** Changes that are told apart; a log may have millions. */
const MAX_CHANGES = 1_000
/** Answers that are remembered, since agents repeat themselves. */
const MAX_ANSWERS = 20_000

/** Asks a policy for every decision that was recorded. */
export async function replay(
  lines: AsyncIterable<LogLine>,
  verdicts: Verdicts,
  agents: ReadonlyMap<string, unknown>,
): Promise<ReplayResult> {
  const answers = new Map<string, Answer>()
  const changes = new Map<string, Change>()
  const counts = { compared: 0, changed: 0, untold: 0, foreign: 0 }
  for await (const line of lines) {
    const recorded = recordedIn(line)
    if (recorded === null) continue
    const { agent, question, count } = recorded
    if (!agents.has(agent)) {
      counts.foreign += count
      continue
    }
    const key = JSON.stringify([agent, question])
    let now = answers.get(key)
    if (now === undefined) {
      if (answers.size >= MAX_ANSWERS) answers.clear()
      now = await answerNow(verdicts, recorded)
      answers.set(key, now)
    }
    const verdict = compare(recorded, now)
    if (verdict === 'untold') {
      counts.untold += count
      continue
    }
    counts.compared += count
    if (verdict === 'same') continue
    counts.changed += count
    note(changes, recorded, now, line.time)
  }
  const sorted = [...changes.values()].sort((a, b) => b.count - a.count || a.asked.localeCompare(b.asked))
  return { ...counts, changes: sorted }
}

function compare(
  { verdict, reason, rule, service, credential, question }: Recorded,
  now: Answer,
): 'same' | 'changed' | 'untold' {
  if (now.lacksDocument) return 'untold'
  if (verdict === 'deny') {
    if (now.verdict === 'deny') return 'same'
    return isByPolicy(reason) ? 'changed' : 'untold'
  }
  // A person has approved it, and would be asked again.
  if (now.reason === 'approval-required' && now.rule === rule) return 'same'
  if (now.verdict === 'deny') return 'changed'
  const isSame = question.kind !== 'request' || (service === now.service && credential === now.credential)
  return isSame || (service === now.service && credential === null) ? 'same' : 'changed'
}

async function answerNow(verdicts: Verdicts, recorded: Recorded): Promise<Answer> {
  const { agent, question, verdict } = recorded
  if (question.kind === 'authority') {
    const { host, scheme, port } = question
    const denial = verdicts.ofAuthority({ agent, host }, scheme, port)
    const none = { service: null, credential: null, lacksDocument: false }
    return denial === null
      ? { verdict: 'allow', reason: null, rule: null, ...none }
      : { verdict: 'deny', reason: denial.reason, rule: denial.rule, ...none }
  }
  const answer = await answerTo(verdicts, agent, question)
  if (answer.verdict === 'allow' || verdict === 'deny' || question.kind !== 'request') return answer
  if (question.method !== 'POST') return answer
  // The type of the body is not in the log: it may have been a call by gRPC.
  const call = await answerTo(verdicts, agent, { ...question, contentType: 'application/grpc' })
  return call.verdict === 'allow' ? call : answer
}

function note(
  changes: Map<string, Change>,
  { agent, question, verdict, reason, rule, service, credential, count }: Recorded,
  now: Answer,
  time: string,
): void {
  const asked = describeQuestion(question)
  const key = JSON.stringify([agent, asked, verdict, rule, now.verdict, now.rule])
  const known = changes.get(key)
  if (known === undefined && changes.size >= MAX_CHANGES) return
  const was = {
    verdict: verdict === 'deny' ? verdict : ('allow' as const),
    reason,
    rule,
    service,
    credential,
  }
  changes.set(key, {
    ...{ agent, asked, was, now },
    count: (known?.count ?? 0) + count,
    first: known?.first ?? time,
    last: time,
  })
}

/** In printable ASCII. */
export function describeQuestion(question: RecordedQuestion): string {
  if (question.kind === 'name') return printable(`dns ${question.host}`)
  const { scheme, host, port } = question
  const authority =
    scheme === null ? `${host}:${String(port)}` : `${scheme}://${authorityText(scheme, host, port)}`
  return printable(
    question.kind === 'authority'
      ? `connection to ${authority}`
      : `${question.verb} ${authority}${question.target}`,
  )
}
