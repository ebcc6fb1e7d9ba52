import { errorIn, type AdminAnswer, type AdminQuestion } from '../control/ask-admin.js'
import type { SandboxList } from '../control/operator-routes.js'
import type { CommandIo } from '../common/io.js'
import type { Place } from './places.js'

export interface Told {
  readonly place: Place
  /** What is there after it. */
  readonly list: SandboxList
}

/**
 * Asks every place the same. A place that does not answer, or answers with an error, is told of on stderr, except for single runs
 * that have just ended and for what a place does not know (404).
 */
export async function askAll(
  places: readonly Place[],
  question: AdminQuestion,
  { stderr }: Pick<CommandIo, 'stderr'>,
): Promise<{ readonly told: readonly Told[]; readonly failed: boolean }> {
  const answers = await Promise.all(
    places.map(async (place) => ({ place, answer: await place.ask(question) })),
  )
  const told: Told[] = []
  let failed = false
  for (const { place, answer } of answers) {
    const outcome = outcomeOf(place, answer)
    if (outcome === 'unknown') continue
    if ('sandboxes' in outcome) {
      told.push({ place, list: outcome })
      continue
    }
    failed = true
    stderr.write(`egress: ${outcome.problem}\n  ${outcome.fix}\n`)
  }
  return { told, failed }
}

function outcomeOf(
  { name }: Place,
  answer: AdminAnswer | null,
): SandboxList | 'unknown' | { readonly problem: string; readonly fix: string } {
  if (answer === null)
    return name.startsWith('Run ')
      ? 'unknown'
      : { problem: `${name} does not answer`, fix: 'Start it, then run this command again' }
  const error = errorIn(answer)
  if (error === null) return answer.body as SandboxList
  return answer.status === 404 ? 'unknown' : { problem: `${name}: ${error.problem}`, fix: error.fix }
}
