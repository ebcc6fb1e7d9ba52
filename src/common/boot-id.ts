import { readFileSync } from 'node:fs'

/** Names this start of the machine; null where the system has no such name. */
export function bootId(): string | null {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return null
  }
}
