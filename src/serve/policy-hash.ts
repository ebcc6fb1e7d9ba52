import { createHash } from 'node:crypto'

/** SHA-256 of a policy's text in hex, the policy's id in the audit log; null if there is no file. */
export function policyHash(text: string | null): string | null {
  return text === null ? null : createHash('sha256').update(text).digest('hex')
}
