import { PolicyError } from '#config/issues/issue.js'
import { loadPolicy } from '#config/load.js'
import type { CredentialKind } from '#firewall/contracts/credential.js'
import type { PolicyOnDisk } from '../../common/policy-file.js'
import { Verdicts } from '../verdicts.js'
import { assemble } from './assemble.js'
import type { Evidence, Want } from './evidence.js'
import { fragmentLines, type FragmentLine } from './fragment.js'
import type { Proposal, Refused } from './proposal.js'
import { denialOf, propose, type Ground, type Step } from './propose.js'

/** What to add to a policy, tried: loaded with it, and asked for everything that it is for. */
export interface Suggestion {
  /** The lines of a YAML document; empty for nothing. */
  readonly lines: readonly string[]
  /** What it allows. */
  readonly allowed: readonly Want[]
  /** What it does not allow, and why. */
  readonly refused: readonly Refused[]
  /** What the policy allows by now. */
  readonly already: readonly Want[]
}

/** How often a fragment is made anew: what a first one allows, the rules of an agent may deny. */
const MAX_ROUNDS = 6

/** The smallest fragment with which a policy allows what was wanted, as far as that can be suggested at all. */
export async function suggest(
  evidence: Evidence,
  loaded: PolicyOnDisk,
  kinds: readonly CredentialKind[],
): Promise<Suggestion> {
  const requested = new Set(
    evidence.wants.flatMap(({ question }) => (question.kind === 'request' ? [question.host] : [])),
  )
  const ground: Ground = { loaded, verdicts: new Verdicts(loaded.policy), evidence, requested }
  const steps = new Map<Want, Step[]>()
  const refused: Refused[] = []
  const already: Want[] = []
  for (const want of evidence.wants) {
    const step = await propose(want, ground)
    if (step === null) already.push(want)
    else if ('why' in step) refused.push({ want, why: step.why })
    else steps.set(want, [step])
  }
  const rejected = new Set<string>()
  for (let round = 0; round < MAX_ROUNDS && steps.size > 0; round += 1) {
    const proposals = assemble([...steps.values()].flat(), loaded, rejected)
    const lines = fragmentLines(proposals)
    const joined = await join(loaded, lines, kinds)
    if (!('policy' in joined)) {
      if (joined.proposals.length === 0) throw joined.error
      for (const proposal of joined.proposals) reject(proposal, joined.error, { rejected, steps, refused })
      continue
    }
    const next: Ground = { ...ground, loaded: joined, verdicts: new Verdicts(joined.policy) }
    if (await complete(steps, refused, next)) {
      const opened = await openedBy(refused, next)
      const byPreset = new Set(proposals.flatMap((one) => (one.kind === 'preset' ? one.hosts : [])))
      const suggested = new Set([...steps.keys()].map(({ question }) => question.host))
      const isMeant = ({ question: { kind, host } }: Want) =>
        byPreset.has(host) || (kind === 'name' && suggested.has(host))
      if (!opened.every(isMeant)) throw new Error('a fragment would allow what is not suggested')
      return {
        lines: lines.map(({ text }) => text),
        allowed: [...steps.keys(), ...opened],
        refused: refused.filter(({ want }) => !opened.includes(want)),
        already,
      }
    }
  }
  for (const want of steps.keys()) refused.push({ want, why: 'no small change of the policy allows it' })
  return { lines: [], allowed: [], refused, already }
}

/** True if every want is allowed; otherwise they have further steps, or none at all. */
async function complete(steps: Map<Want, Step[]>, refused: Refused[], ground: Ground): Promise<boolean> {
  let isComplete = true
  for (const [want, taken] of [...steps]) {
    const step = await propose(want, ground)
    if (step === null) continue
    isComplete = false
    const isNew = !('why' in step) && !taken.some((one) => one.kind === step.kind)
    if (isNew) taken.push(step)
    else {
      steps.delete(want)
      refused.push({ want, why: 'why' in step ? step.why : 'no small change of the policy allows it' })
    }
  }
  return isComplete
}

/**
 * What was refused and would pass now. Only a preset allows what it is for, writing included; and the name of a host of which a
 * request is suggested is looked up.
 */
async function openedBy(refused: readonly Refused[], ground: Ground): Promise<Want[]> {
  const opened: Want[] = []
  for (const { want } of refused)
    if (ground.loaded.policy.agents.has(want.agent) && (await denialOf(want, ground)) === null)
      opened.push(want)
  return opened
}

/** The policy with the fragment, or the proposals that do not fit into it. */
async function join(
  loaded: PolicyOnDisk,
  lines: readonly FragmentLine[],
  kinds: readonly CredentialKind[],
): Promise<PolicyOnDisk | { readonly error: PolicyError; readonly proposals: readonly Proposal[] }> {
  const before = (loaded.text ?? '').replace(/\n*$/, '\n')
  const text = before + lines.map((line) => `${line.text}\n`).join('')
  try {
    const options = { kinds, env: {}, withSecrets: false, text }
    return { ...(await loadPolicy(loaded.file, options)), file: loaded.file }
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error
    const own = before.split('\n').length - 1
    const named = error.issues.flatMap(({ line }) => lines[line - own - 1]?.proposal ?? [])
    return { error, proposals: [...new Set(named)] }
  }
}

function reject(
  proposal: Proposal,
  { issues }: PolicyError,
  {
    rejected,
    steps,
    refused,
  }: { readonly rejected: Set<string>; readonly steps: Map<Want, Step[]>; readonly refused: Refused[] },
): void {
  if (proposal.kind === 'preset') {
    // Entries for its hosts may fit.
    rejected.add(proposal.preset)
    return
  }
  const why = `the policy does not take it: ${issues[0]?.problem ?? ''}`
  for (const want of proposal.wants) if (steps.delete(want)) refused.push({ want, why })
}
