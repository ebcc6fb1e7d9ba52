import { findInRecords } from '../stand-ins/attacker.js'
import { findNeedles } from '../stand-ins/needles.js'
import { all, bytesOf, namesOf } from './judging.js'
import type { Judge, Row } from './row.js'

const nothingAtAttacker: Judge = ({ whole, needles }) => {
  const finds = findInRecords(whole.attacker, needles)
  return finds.length === 0
    ? { held: true, evidence: `none in all ${bytesOf(whole.attacker)} bytes at the attacker` }
    : { held: false, evidence: `the attacker holds ${namesOf(finds)}` }
}

const nothingPrinted: Judge = ({ output, needles }) => {
  const finds = findNeedles(Buffer.from(output), needles)
  return finds.length === 0
    ? { held: true, evidence: 'none in what the sandbox printed' }
    : { held: false, evidence: `the sandbox printed ${namesOf(finds)}` }
}

/** Judged from outside alone, after everything else: it needs no script of its own. */
export const WHOLE_RUN: Row = {
  id: 'whole-run',
  title: 'any credential, anywhere, in any encoding',
  threat: 'The sum of all attacks may do what none of them does alone.',
  judge: all(nothingAtAttacker, nothingPrinted),
  twin: ({ whole }) => {
    const missing = (['jira', 'llm', 'echo'] as const).filter(
      (service) => !whole[service].some(({ credential }) => credential === 'real'),
    )
    return missing.length === 0
      ? { held: true, evidence: 'ok' }
      : { held: false, evidence: `no credential reached ${missing.join(', ')}` }
  },
}
