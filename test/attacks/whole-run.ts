import { findInRecords } from '../servers/attacker.js'
import { findLeaks } from '../servers/known-secrets.js'
import { all, bytesOf, namesOf } from './evaluating.js'
import type { Judge, Row } from './row.js'

const nothingAtAttacker: Judge = ({ whole, knownSecrets }) => {
  const finds = findInRecords(whole.attacker, knownSecrets)
  return finds.length === 0
    ? { passed: true, evidence: `none in all ${bytesOf(whole.attacker)} bytes at the attacker` }
    : { passed: false, evidence: `the attacker holds ${namesOf(finds)}` }
}

const nothingPrinted: Judge = ({ output, knownSecrets }) => {
  const finds = findLeaks(Buffer.from(output), knownSecrets)
  return finds.length === 0
    ? { passed: true, evidence: 'none in what the sandbox printed' }
    : { passed: false, evidence: `the sandbox printed ${namesOf(finds)}` }
}

/** Checked from outside alone, after everything else: it needs no script of its own. */
export const WHOLE_RUN: Row = {
  id: 'whole-run',
  title: 'any credential, anywhere, in any encoding',
  threat: 'The sum of all attacks may do what none of them does alone.',
  evaluate: all(nothingAtAttacker, nothingPrinted),
  control: ({ whole }) => {
    const missing = (['jira', 'llm', 'echo'] as const).filter(
      (service) => !whole[service].some(({ credential }) => credential === 'real'),
    )
    return missing.length === 0
      ? { passed: true, evidence: 'ok' }
      : { passed: false, evidence: `no credential reached ${missing.join(', ')}` }
  },
}
