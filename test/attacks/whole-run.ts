import { findInRecords } from '../servers/attacker.js'
import { findLeaks } from '../servers/known-secrets.js'
import { all, bytesOf, namesOf } from './evaluating.js'
import type { Check, Row } from './row.js'

const nothingAtAttacker: Check = ({ whole, knownSecrets }) => {
  const finds = findInRecords(whole.attacker, knownSecrets)
  return finds.length === 0
    ? { passed: true, evidence: `none in all ${bytesOf(whole.attacker)} bytes at the attacker` }
    : { passed: false, evidence: `the attacker received ${namesOf(finds)}` }
}

const nothingPrinted: Check = ({ output, knownSecrets }) => {
  const finds = findLeaks(Buffer.from(output), knownSecrets)
  return finds.length === 0
    ? { passed: true, evidence: 'none in the output of the sandbox' }
    : { passed: false, evidence: `the sandbox printed ${namesOf(finds)}` }
}

/** Checked only from outside, after all other rows, so it needs no script inside. */
export const WHOLE_RUN: Row = {
  id: 'whole-run',
  title: 'any credential, anywhere, in any encoding',
  threat: 'The attacks together may succeed where each of them fails.',
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
