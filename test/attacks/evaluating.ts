import { findInRecords } from '../servers/attacker.js'
import { findLeaks, type Find } from '../servers/known-secrets.js'
import type { AttackerRecord, RequestRecord } from '../servers/records.js'
import type { Attempt, Part } from './brief.js'
import type { Evidence, Finding, Check } from './row.js'

/** The first failed finding; if all passed, the evidence of all of them. */
export function all(...evaluators: readonly Check[]): Check {
  return (evidence) => {
    const findings = evaluators.map((evaluate) => evaluate(evidence))
    const failed = findings.find(({ passed }) => !passed)
    if (failed !== undefined) return failed
    const words = findings.map((finding) => finding.evidence).filter((text) => text !== '')
    return { passed: true, evidence: words.join('; ') }
  }
}

/** An attack that did not run or did not finish proves nothing. */
export const attackRan: Check = ({ inside }) => ran(inside?.attack, 'the attack')

/** Nothing reached the attacker while the attack ran: no connection, no datagram, no name. */
export const attackerGotNothing: Check = ({ during, whole, marker }) => {
  const finds = findInRecords(whole.attacker, [marker])
  if (finds.length > 0)
    return { passed: false, evidence: `the attacker received the data (${encodingsOf(finds)})` }
  const { length } = during.attacker
  const bytes = bytesOf(during.attacker)
  if (length > 0)
    return { passed: false, evidence: `${bytes} bytes in ${length} pieces reached the attacker` }
  return { passed: true, evidence: 'attacker received 0 bytes' }
}

/** No attempt succeeded, as seen from inside. */
export const nothingWorkedInside: Check = ({ inside }) => {
  const attempts = inside?.attack.attempts ?? []
  const worked = attempts.filter(({ reached }) => reached)
  return worked.length === 0
    ? { passed: true, evidence: `${attempts.length} tried, none worked` }
    : { passed: false, evidence: `${worked.length} worked: ${worked.map(brief).join('; ')}` }
}

/** No data that the sandbox received contains a credential, in any encoding, in whole or in part. */
export const noCredentialInside: Check = ({ inside, knownSecrets }) => {
  const attempts = [...(inside?.attack.attempts ?? []), ...(inside?.control.attempts ?? [])]
  for (const { what, said, bytes = '' } of attempts) {
    const finds = findLeaks(
      Buffer.concat([Buffer.from(`${said}\n`), Buffer.from(bytes, 'base64')]),
      knownSecrets,
    )
    if (finds.length > 0) return { passed: false, evidence: `${namesOf(finds)} came back through ${what}` }
  }
  return { passed: true, evidence: '' }
}

/** An ordinary denial: the attack ran, nothing arrived, nothing worked. */
export const refused: Check = all(attackRan, attackerGotNothing, nothingWorkedInside, noCredentialInside)

/** The control succeeded, as seen from inside. */
export const controlPassed: Check = ({ inside }) => {
  const done = ran(inside?.control, 'the control')
  if (!done.passed) return done
  const failed = inside?.control.attempts.find(({ reached }) => !reached)
  return failed === undefined ? { passed: true, evidence: 'ok' } : { passed: false, evidence: brief(failed) }
}

/** The control's request arrived at a mock server, with the real credential if the service has one. */
export function controlArrived(
  service: 'jira' | 'llm' | 'echo',
  credential: RequestRecord['credential'] = 'real',
): Check {
  return all(controlPassed, ({ whole, marker }) => {
    const record = whole[service].find(({ target }) => target.includes(`control=${marker.value}`))
    if (record === undefined) return { passed: false, evidence: `nothing arrived at ${service}` }
    if (record.credential !== credential)
      return { passed: false, evidence: `credential ${record.credential} at ${service}` }
    return { passed: true, evidence: '' }
  })
}

/** The attack's requests that arrived at a mock server. */
export function arrivals({ whole, marker }: Evidence, service: 'jira' | 'llm' | 'echo'): RequestRecord[] {
  return whole[service].filter(({ target }) => target.includes(marker.value) && !target.includes('control='))
}

export function bytesOf(records: readonly AttackerRecord[]): number {
  return records.reduce((sum, { bytes }) => sum + Buffer.from(bytes, 'base64').length, 0)
}

export function namesOf(finds: readonly Find[]): string {
  return [...new Set(finds.map(({ knownSecret, encoding }) => `${knownSecret} (${encoding})`))].join(', ')
}

/** An attempt in short. */
export function brief({ what, said }: Attempt): string {
  const text = `${what}: ${said}`.replace(/[^\x20-\x7e]/g, '·')
  return text.length > 90 ? `${text.slice(0, 89)}…` : text
}

function ran(part: Part | undefined, what: string): Finding {
  if (part === undefined) return { passed: false, evidence: `${what} did not run` }
  if (part.error !== null) return { passed: false, evidence: `${what} failed: ${part.error}` }
  if (part.attempts.length === 0) return { passed: false, evidence: `${what} tried nothing` }
  return { passed: true, evidence: '' }
}

function encodingsOf(finds: readonly Find[]): string {
  return [...new Set(finds.map(({ encoding }) => encoding))].join(', ')
}
