import { readFileSync } from 'node:fs'
import { Stryker } from '@stryker-mutator/core'
import { ACCEPTED } from './mutations/accepted.js'
import { ROOMS, type Room } from './mutations/rooms.js'

// Changes security-critical sources one expression at a time, and counts how many of the changes a test of the same room
// notices. Not a part of `npm test`: all rooms together take an hour or more.
//
//   npm run test:mutations                       every room
//   npm run test:mutations -- firewall/names     some; a source file narrows a room to it
//
// Exit code 1 if less than 95 % are noticed, or if an accepted survivor no longer exists.

const WANTED = 0.95
/** Not counted: messages are for people, and most are tested by tests of other rooms. */
const NO_GUARANTEE = /^(?:`[^`]* [^`]*`|'[^']* [^']*'|"[^"]* [^"]*")$/s

interface Survivor {
  readonly file: string
  readonly line: number
  readonly from: string
  readonly to: string
}

interface Outcome {
  readonly noticed: number
  readonly accepted: number
  readonly survivors: readonly Survivor[]
}

/** Changes the sources of one room. `only` is a source of it; null for all. */
async function mutate(room: Room, only: string | null): Promise<Outcome> {
  const tests = room.tests.map((glob) => `dist/${glob.replace(/\.ts$/, '.js')}`)
  const results = await new Stryker({
    testRunner: 'tap',
    plugins: ['@stryker-mutator/tap-runner'],
    buildCommand: 'npm run build:unchecked',
    tap: { testFiles: tests, forceBail: true, nodeArgs: [] },
    mutate: [
      ...(only === null ? room.sources : [only]),
      '!**/*.test.ts',
      '!**/*fixtures.ts',
      '!**/contracts/**',
    ],
    ignorePatterns: ['dist', 'docs'],
    disableTypeChecks: true,
    coverageAnalysis: 'perTest',
    timeoutMS: 20_000,
    reporters: ['progress'],
    tempDirName: '.mutations',
  }).runMutationTest()

  let [noticed, accepted] = [0, 0]
  const survivors: Survivor[] = []
  for (const { status, fileName, location, replacement } of results) {
    if (status === 'Killed' || status === 'Timeout' || status === 'RuntimeError') noticed += 1
    if (status !== 'Survived' && status !== 'NoCoverage') continue
    const file = fileName.replace(`${process.cwd()}/`, '')
    const from = sourceAt(file, location)
    const to = replacement
    if (NO_GUARANTEE.test(from)) continue
    if (ACCEPTED.some((known) => known.file === file && known.from === from && known.to === to)) accepted += 1
    else survivors.push({ file, line: location.start.line, from, to })
  }
  return { noticed, accepted, survivors }
}

interface Position {
  readonly line: number
  readonly column: number
}

/** The text of a source between two positions, which count from one. */
function sourceAt(file: string, { start, end }: { start: Position; end: Position }): string {
  const lines = readFileSync(file, 'utf8')
    .split('\n')
    .slice(start.line - 1, end.line)
  const last = lines.length - 1
  lines[last] = lines[last]?.slice(0, end.column - 1) ?? ''
  lines[0] = lines[0]?.slice(start.column - 1) ?? ''
  return lines.join('\n')
}

const wanted = process.argv.slice(2)
const chosen: { room: Room; only: string | null }[] = []
for (const room of ROOMS) {
  if (wanted.length === 0 || wanted.includes(room.name)) chosen.push({ room, only: null })
  for (const only of wanted) if (only.startsWith(`${room.name}/`)) chosen.push({ room, only })
}
if (chosen.length === 0) {
  console.error(`No room of that name.\n  Name one of: ${ROOMS.map(({ name }) => name).join(', ')}`)
  process.exit(2)
}

let short = false
for (const { room, only } of chosen) {
  const { noticed, accepted, survivors } = await mutate(room, only)
  const all = noticed + accepted + survivors.length
  const share = all === 0 ? 1 : (noticed + accepted) / all
  if (share < WANTED) short = true
  for (const { file, line, from, to } of survivors)
    console.log(`not noticed: ${file}:${String(line)}\n  - ${from}\n  + ${to}`)
  console.log(
    `${only ?? room.name}: ${(100 * share).toFixed(1)} % of ${String(all)} changes noticed, ${String(accepted)} of them accepted survivors`,
  )
}
process.exit(short ? 1 : 0)
