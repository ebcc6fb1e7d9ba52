import { randomBytes } from 'node:crypto'

/** Short and unique enough to name a sandbox in a log: 40 bits. */
export function newSandboxId(): string {
  return `sb-${randomBytes(5).toString('hex')}`
}
