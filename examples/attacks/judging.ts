import { findInRecords } from '../stand-ins/attacker.js'
import { findNeedles, type Find } from '../stand-ins/needles.js'
import type { AttackerRecord, RequestRecord } from '../stand-ins/records.js'
import type { Attempt, Part } from './brief.js'
import type { Evidence, Finding, Judge } from './row.js'

/** The first finding that does not hold; else the evidence of all of them. */
export function all(...judges: readonly Judge[]): Judge {
  return (evidence) => {
    const findings = judges.map((judge) => judge(evidence))
    const failed = findings.find(({ held }) => !held)
    if (failed !== undefined) return failed
    const words = findings.map((finding) => finding.evidence).filter((text) => text !== '')
    return { held: true, evidence: words.join('; ') }
  }
}

/** An attack that did not run, or broke off, shows nothing. */
export const attackRan: Judge = ({ inside }) => ran(inside?.attack, 'the attack')

/** Nothing at all came to the attacker while the attack ran: not a connection, not a datagram, not a name. */
export const attackerGotNothing: Judge = ({ during, whole, marker }) => {
  const finds = findInRecords(whole.attacker, [marker])
  if (finds.length > 0)
    return { held: false, evidence: `the attacker received the data (${encodingsOf(finds)})` }
  const { length } = during.attacker
  const bytes = bytesOf(during.attacker)
  if (length > 0) return { held: false, evidence: `${bytes} bytes in ${length} pieces reached the attacker` }
  return { held: true, evidence: 'attacker received 0 bytes' }
}

/** No attempt succeeded as seen from inside. */
export const nothingWorkedInside: Judge = ({ inside }) => {
  const attempts = inside?.attack.attempts ?? []
  const worked = attempts.filter(({ reached }) => reached)
  return worked.length === 0
    ? { held: true, evidence: `${attempts.length} tried, none worked` }
    : { held: false, evidence: `${worked.length} worked: ${worked.map(brief).join('; ')}` }
}

/** No credential stands in what came back to the sandbox, in any encoding, in whole or in part. */
export const noCredentialInside: Judge = ({ inside, needles }) => {
  const attempts = [...(inside?.attack.attempts ?? []), ...(inside?.twin.attempts ?? [])]
  for (const { what, said, bytes = '' } of attempts) {
    const finds = findNeedles(
      Buffer.concat([Buffer.from(`${said}\n`), Buffer.from(bytes, 'base64')]),
      needles,
    )
    if (finds.length > 0) return { held: false, evidence: `${namesOf(finds)} came back by ${what}` }
  }
  return { held: true, evidence: '' }
}

/** Every refusal of the usual kind: it ran, nothing arrived, nothing worked. */
export const refused: Judge = all(attackRan, attackerGotNothing, nothingWorkedInside, noCredentialInside)

/** The twin did what it should, as seen from inside. */
export const twinWorked: Judge = ({ inside }) => {
  const done = ran(inside?.twin, 'the twin')
  if (!done.held) return done
  const failed = inside?.twin.attempts.find(({ reached }) => !reached)
  return failed === undefined ? { held: true, evidence: 'ok' } : { held: false, evidence: brief(failed) }
}

/** The twin's request arrived at a stand-in, with the real credential where there is one. */
export function twinArrived(
  service: 'jira' | 'llm' | 'echo',
  credential: RequestRecord['credential'] = 'real',
): Judge {
  return all(twinWorked, ({ whole, marker }) => {
    const record = whole[service].find(({ target }) => target.includes(`twin=${marker.value}`))
    if (record === undefined) return { held: false, evidence: `nothing arrived at ${service}` }
    if (record.credential !== credential)
      return { held: false, evidence: `credential ${record.credential} at ${service}` }
    return { held: true, evidence: '' }
  })
}

/** The attack's requests that arrived at a stand-in. */
export function arrivals({ whole, marker }: Evidence, service: 'jira' | 'llm' | 'echo'): RequestRecord[] {
  return whole[service].filter(({ target }) => target.includes(marker.value) && !target.includes('twin='))
}

export function bytesOf(records: readonly AttackerRecord[]): number {
  return records.reduce((sum, { bytes }) => sum + Buffer.from(bytes, 'base64').length, 0)
}

export function namesOf(finds: readonly Find[]): string {
  return [...new Set(finds.map(({ needle, encoding }) => `${needle} (${encoding})`))].join(', ')
}

/** An attempt in a few words. */
export function brief({ what, said }: Attempt): string {
  const text = `${what}: ${said}`.replace(/[^\x20-\x7e]/g, '·')
  return text.length > 90 ? `${text.slice(0, 89)}…` : text
}

function ran(part: Part | undefined, what: string): Finding {
  if (part === undefined) return { held: false, evidence: `${what} did not run` }
  if (part.error !== null) return { held: false, evidence: `${what} failed: ${part.error}` }
  if (part.attempts.length === 0) return { held: false, evidence: `${what} tried nothing` }
  return { held: true, evidence: '' }
}

function encodingsOf(finds: readonly Find[]): string {
  return [...new Set(finds.map(({ encoding }) => encoding))].join(', ')
}
