import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { measureCoverage } from './runner/coverage.js'
import { findTests, select, type TestFile } from './runner/files.js'
import { describeFailures } from './runner/report.js'
import { runFile, type FileResult, type RunOptions } from './runner/run-file.js'

// Runs the compiled tests, each file in a process of its own, and says at the end in one plain line how they went.
//
//   npm test                         everything; coverage against the thresholds; then what needs a Docker engine
//   npm test -- dns/wire.test.ts     one file, or every file of a folder
//   npm run test:quick               those that stand beside their sources
//   npm run test:docker              those that need an engine
//   npm run test:kubernetes          those that need a cluster, which nothing else runs

/** Seconds that one file may take; one that needs an engine may build images first. */
const LIMIT_SECONDS = { local: 300, docker: 1200, kubernetes: 1200 }
/** One more than there are processors, for files that wait; more than four only get in each other's way. */
const JOBS = Math.min(4, availableParallelism() + 1)

/** On CI everything must be there: what is skipped was not tested. */
const ON_CI = process.env['CI'] === 'true'

/** Results of all files, in the order of their ends. What failed is told at once. */
async function runFiles(
  files: readonly TestFile[],
  jobs: number,
  options: RunOptions,
): Promise<FileResult[]> {
  const results: FileResult[] = []
  const queue = [...files]
  const work = async () => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      const result = await runFile(file, options)
      results.push(result)
      clearProgress()
      if (result.failures.length > 0) console.log(`${describeFailures(result)}\n`)
      for (const { path, reason } of result.skips)
        console.log(`skipped ${file.source}: ${path.join(' > ')}${reason === '' ? '' : `: ${reason}`}`)
      showProgress(`${results.length} of ${files.length} files`)
    }
  }
  await Promise.all(Array.from({ length: jobs }, work))
  clearProgress()
  return results
}

const isTerminal = process.stdout.isTTY
const showProgress = (text: string) => isTerminal && process.stdout.write(text)
const clearProgress = () => isTerminal && process.stdout.write('\r\u001b[K')

async function runSelected(files: readonly TestFile[]): Promise<FileResult[]> {
  const local = files.filter(({ docker, kubernetes }) => !docker && !kubernetes)
  const docker = files.filter((file) => file.docker)
  const kubernetes = files.filter((file) => file.kubernetes)
  return [
    ...(await runFiles(local, JOBS, { limitSeconds: LIMIT_SECONDS.local, coverageDir: null })),
    ...(await runFiles(kubernetes, 1, { limitSeconds: LIMIT_SECONDS.kubernetes, coverageDir: null })),
    ...(await runFiles(docker, 1, { limitSeconds: LIMIT_SECONDS.docker, coverageDir: null })),
  ]
}

/** Everything, and whether enough of the sources was run. */
async function runAll(files: readonly TestFile[]): Promise<{ results: FileResult[]; enough: boolean }> {
  const coverageDir = mkdtempSync(join(tmpdir(), 'egress-coverage-'))
  // Some tests run as another user.
  chmodSync(coverageDir, 0o1777)
  try {
    const local = files.filter(({ docker }) => !docker)
    const results = await runFiles(local, JOBS, { limitSeconds: LIMIT_SECONDS.local, coverageDir })
    const { summary, enough } = measureCoverage(coverageDir)
    console.log(summary)
    return { results: [...results, ...(await runSelected(files.filter(({ docker }) => docker)))], enough }
  } finally {
    rmSync(coverageDir, { recursive: true, force: true })
  }
}

/** The files that the arguments name; null when one names none. */
function chosen(all: readonly TestFile[], names: readonly string[]): TestFile[] | null {
  const found = new Set<TestFile>()
  for (const name of names) {
    const files =
      name === '--docker'
        ? all.filter(({ docker }) => docker)
        : name === '--kubernetes'
          ? all.filter(({ kubernetes }) => kubernetes)
          : name === '--quick'
            ? all.filter(({ unit, docker }) => unit && !docker)
            : select(all, name)
    if (files.length === 0) {
      console.error(
        `No test file matches ${name}.\n  Name a file or a folder, for example: npm test -- dns/wire.test.ts`,
      )
      return null
    }
    for (const file of files) found.add(file)
  }
  return [...found]
}

const names = process.argv.slice(2)
const all = findTests()
// A cluster of its own, and minutes of it.
const files = names.length === 0 ? all.filter(({ kubernetes }) => !kubernetes) : all
const selected = chosen(files, names)
if (selected === null) process.exitCode = 2
else {
  const { results, enough } =
    names.length === 0 ? await runAll(files) : { results: await runSelected(selected), enough: true }
  const sum = (count: (result: FileResult) => number) =>
    results.reduce((total, result) => total + count(result), 0)
  const skipped = sum(({ skips }) => skips.length)
  const failed = sum(({ failures }) => failures.length) + (enough ? 0 : 1)
  for (const { file, failures } of results)
    if (failures.length > 0) console.log(`FAILED ${file.source}: ${failures.length}`)
  if (ON_CI && skipped > 0) console.log('FAILED: on CI nothing may be skipped')
  console.log(`${sum(({ passed }) => passed)} passed, ${failed} failed, ${skipped} skipped`)
  if (failed > 0 || (ON_CI && skipped > 0)) process.exitCode = 1
}
