import type { PresentedApproval } from '../approvals/present.js'
import { EgressError, EXIT, usage } from '../common/errors.js'
import type { CommandIo } from '../common/io.js'
import { errorIn, type AdminAnswer, type AdminQuestion } from '../control/ask-admin.js'
import type { Decider } from '../events/events.js'
import { findPlaces, type Place } from '../fleet/places.js'
import { clean } from '../common/hostile-text.js'
import { describeDecider } from '../logs/format.js'
import { approvalLines, summaryLine } from './describe-approval.js'

export interface ApproveFlags {
  readonly once: boolean
  readonly for: string | undefined
  /** Print what a policy needs to allow such requests without asking. */
  readonly always: boolean
  readonly json: boolean
}

/** `egress approvals`: what waits for a person, or was approved and is not used up. With an id, all of one. */
export async function listApprovals(
  { id, json }: { readonly id: string | undefined; readonly json: boolean },
  io: CommandIo,
): Promise<number> {
  if (id !== undefined) {
    const { approval } = await findApproval(id, io)
    io.stdout.write(json ? `${JSON.stringify(approval)}\n` : `${approvalLines(approval).join('\n')}\n`)
    return EXIT.fine
  }
  const answers = await askEach({ method: 'GET', path: '/approvals' }, io)
  if (answers.length === 0) throw noGateway()
  const approvals = answers.flatMap(
    ({ answer }) => (answer.body as { approvals?: readonly PresentedApproval[] }).approvals ?? [],
  )
  if (json) for (const approval of approvals) io.stdout.write(`${JSON.stringify(approval)}\n`)
  else if (approvals.length === 0) io.stderr.write('Nothing waits for approval.\n')
  else io.stdout.write(`${approvals.map((one) => summaryLine(one, Date.now())).join('\n')}\n`)
  return EXIT.fine
}

/** `egress approve ID`: shows what is approved, and approves it. */
export async function approve(id: string, flags: ApproveFlags, io: CommandIo): Promise<number> {
  if (flags.for !== undefined && (flags.once || flags.always))
    throw usage('--for cannot be combined with --once or --always', 'Choose one of them')
  const { approval: found, place } = await findApproval(id, io)
  const body = flags.for === undefined ? {} : { for: flags.for }
  const decided = await decide(place, found.id, 'approve', body)
  if (flags.json) {
    io.stdout.write(`${JSON.stringify(decided)}\n`)
    return EXIT.fine
  }
  const { approval, by } = decided
  const how = approval.repeats
    ? `again and again until ${approval.expires}`
    : `once, until ${approval.expires}`
  io.stdout.write(`${approvalLines(found).join('\n')}\n\nApproved ${how}, by ${clean(describeDecider(by))}\n`)
  if (flags.always)
    io.stdout.write(
      `\nTo allow such requests without asking, add to the policy and run \`egress reload\`:\n\n${approval.fragment}`,
    )
  return EXIT.fine
}

/** `egress deny ID`: denies a request, or takes an approval back. */
export async function denyApproval(id: string, json: boolean, io: CommandIo): Promise<number> {
  const { approval: found, place } = await findApproval(id, io)
  const decided = await decide(place, found.id, 'deny', {})
  io.stdout.write(
    json
      ? `${JSON.stringify(decided)}\n`
      : `Denied ${clean(`${found.method} ${found.url}`)}, by ${clean(describeDecider(decided.by))}\n`,
  )
  return EXIT.fine
}

interface Decided {
  readonly approval: PresentedApproval
  readonly by: Decider
}

async function decide(place: Place, id: string, verb: 'approve' | 'deny', body: unknown): Promise<Decided> {
  const path = `/approvals/${encodeURIComponent(id)}/${verb}`
  const answer = await place.ask({ method: 'POST', path, body })
  if (answer === null) throw noGateway()
  throwIfRefused(answer)
  return answer.body as Decided
}

/** The only approval with this id, or whose id begins with it, in whatever gateway it is. */
async function findApproval(
  id: string,
  io: CommandIo,
): Promise<{ readonly approval: PresentedApproval; readonly place: Place }> {
  const path = `/approvals/${encodeURIComponent(id)}`
  const answers = await askEach({ method: 'GET', path }, io)
  const found = answers.find(({ answer }) => answer.status === 200)
  if (found !== undefined) {
    const { approval } = found.answer.body as { readonly approval: PresentedApproval }
    return { approval, place: found.place }
  }
  const [first] = answers
  if (first === undefined) throw noGateway()
  throwIfRefused(first.answer)
  throw noGateway()
}

/** The answers of every gateway that this user can reach. */
async function askEach(question: AdminQuestion, io: CommandIo) {
  const answers = await Promise.all(
    (await findPlaces(io)).map(async (place) => ({ place, answer: await place.ask(question) })),
  )
  return answers.flatMap(({ place, answer }) => (answer === null ? [] : [{ place, answer }]))
}

function throwIfRefused(answer: AdminAnswer): void {
  const error = errorIn(answer)
  if (error === null) return
  const { code, problem, fix, exit_code: exitCode } = error
  throw new EgressError({ code, problem, fix, exitCode })
}

function noGateway(): EgressError {
  return new EgressError({
    code: 'EGRESS_NO_GATEWAY',
    problem: 'No gateway is running here',
    fix: 'With Compose, run `docker compose exec proxy egress approvals`',
    exitCode: EXIT.failed,
  })
}
