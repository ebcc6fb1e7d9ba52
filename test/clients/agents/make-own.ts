import { chownSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** The user of sandboxes that root starts, if the project is his. */
const USER = 1000

/** Gives a directory to an ordinary user if root runs this. */
export function makeOwn(directory: string): void {
  if (process.getuid?.() !== 0) return
  for (const name of readdirSync(directory)) chownSync(join(directory, name), USER, USER)
  chownSync(directory, USER, USER)
}
