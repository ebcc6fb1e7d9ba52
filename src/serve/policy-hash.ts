import { createHash } from 'node:crypto'

/** SHA-256 of a policy's text in hex, as the audit log names a policy; null where there is no file. */
export function policyHash(text: string | null): string | null {
  return text === null ? null : createHash('sha256').update(text).digest('hex')
}
