import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Attempt, Brief, InsideReport, InsideRow, Part } from '../brief.js'
import { rows as credentials } from './credentials.mjs'
import { rows as direct } from './direct.mjs'
import { rows as dns } from './dns.mjs'
import { rows as exfiltration } from './exfiltration.mjs'
import { rows as files } from './files.mjs'
import { rows as http2 } from './http2.mjs'
import { rows as identity } from './identity.mjs'
import { nameOf } from './lib/attempt.mjs'
import { rows as processes } from './processes.mjs'
import { rows as reflection } from './reflection.mjs'
import { rows as requests } from './requests.mjs'

/** Milliseconds to wait after an attack for delayed traffic. */
const AFTERMATH_MS = 150

/** Milliseconds after which an attack counts as stuck. */
const DEADLINE_MS = 60_000

const ROWS: Readonly<Record<string, InsideRow>> = {
  ...credentials,
  ...exfiltration,
  ...direct,
  ...dns,
  ...identity,
  ...reflection,
  ...requests,
  ...http2,
  ...files,
  ...processes,
}

/** Runs the attacks that the brief names, one after the other, and prints one line of JSON for each. */
async function main(): Promise<void> {
  const brief = JSON.parse(readFileSync(process.argv[2] ?? 'brief.json', 'utf8')) as Brief
  for (const row of brief.rows) {
    const inside = ROWS[row]
    const marker = brief.markers[row] ?? ''
    if (inside === undefined) continue
    const attack = await play(() => inside.attack(brief, marker))
    const control = await play(() => inside.control(brief, marker))
    const report: InsideReport = { row, attack, control }
    process.stdout.write(`${JSON.stringify(report)}\n`)
  }
}

async function play(act: () => Promise<Attempt[]> | Attempt[]): Promise<Part> {
  const started = Date.now()
  const deadline = new AbortController()
  let attempts: Attempt[] = []
  let error: string | null = null
  try {
    attempts = await Promise.race([
      act(),
      sleep(DEADLINE_MS, null, { signal: deadline.signal }).then(() => {
        throw new Error('stuck')
      }),
    ])
  } catch (cause) {
    error = nameOf(cause)
  } finally {
    deadline.abort()
  }
  await sleep(AFTERMATH_MS)
  return { started, ended: Date.now(), attempts, error }
}

// An abandoned exchange may still fail later; that must not stop the following rows.
process.on('uncaughtException', () => undefined)
await main()
