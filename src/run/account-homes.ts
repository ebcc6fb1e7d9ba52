import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { realOrSame } from '../common/file-way.js'

/** The homes of all accounts, and of whoever calls. */
export function accountHomes(): string[] {
  const homes = [process.env['HOME'] ?? '', homedir()]
  try {
    const accounts = readFileSync('/etc/passwd', 'utf8').split('\n')
    homes.push(...accounts.map((line) => line.split(':')[5] ?? ''))
  } catch {
    // Accounts may come from another source.
  }
  return homes.filter((home) => home.startsWith('/')).map(realOrSame)
}
