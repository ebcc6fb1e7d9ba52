import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { findTests, select } from './files.js'
import { toSources } from './report.js'

// What `npm test -- FILE` prints, for files that pass, fail and end in other ways.

const FOLDER = `dist/test/runner/made-${String(process.pid)}`
const SOURCE = FOLDER.replace(/^dist\//, '')

interface Ended {
  readonly code: number
  readonly output: string
}

/** Writes a test file beside the compiled ones, as JavaScript, and gives it to the runner. */
function runner(files: Readonly<Record<string, string>>, env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  mkdirSync(FOLDER, { recursive: true })
  for (const [name, body] of Object.entries(files))
    writeFileSync(`${FOLDER}/${name}.test.js`, `import t from 'tap'\n${body}\n`)
  return new Promise((resolve) => {
    const options = { env: { ...process.env, CI: '', ...env } }
    execFile(process.execPath, ['dist/test/run.js', SOURCE], options, (error, stdout, stderr) => {
      rmSync(FOLDER, { recursive: true })
      resolve({ code: Number(error?.code ?? 0), output: stdout + stderr })
    })
  })
}

t.teardown(() => rmSync(FOLDER, { recursive: true, force: true }))

void t.test('a green run is one line', async (t) => {
  const { code, output } = await runner({
    one: `t.test('outer', (t) => { t.equal(1, 1); t.test('inner', async (t) => { t.ok(true) }); t.end() })`,
    none: `t.test('nothing to assert, nothing thrown', () => Promise.resolve())`,
  })
  t.equal(output, '3 passed, 0 failed, 0 skipped\n')
  t.equal(code, 0)
})

void t.test('what fails is told with file, assertion, difference and position, once', async (t) => {
  const { code, output } = await runner({
    bad: `t.test('outer', async (t) => { t.ok(true); await t.test('inner', async (t) => { t.strictSame({ a: 1 }, { a: 2 }, 'the same') }) })`,
    thrown: `console.error('said before'); t.test('throws', async () => { throw new Error('boom') })`,
  })
  t.match(output, `FAILED ${SOURCE}/bad.test.ts`)
  t.match(
    output,
    /1\) outer > inner > the same\n[\s\S]* - {2}"a": 2,\n +\+ {2}"a": 1,\n[\s\S]*bad\.test\.js:2:\d+/,
  )
  t.match(output, /1\) throws > boom\n/)
  t.match(output, /It also wrote:\n {4}said before\n/)
  t.match(output, `npm test -- ${SOURCE}/bad.test.ts`)
  t.match(output, /\n1 passed, 2 failed, 0 skipped\n$/)
  t.equal(code, 1)
})

void t.test('a file that ends in another way than by its tests fails', async (t) => {
  for (const [body, reason] of [
    [`t.ok(true); setTimeout(() => process.kill(process.pid, 'SIGKILL'), 100)`, /killed by SIGKILL/],
    [`t.ok(true); process.on('exit', () => { process.exitCode = 3 })`, /exit code 3/],
    [`t.bailout('no way on')`, /bail out: no way on/i],
    [`t.test('plan', (t) => { t.plan(2); t.ok(true); t.end() })`, /test count/],
    [`process.exit(0)`, /it asserts nothing|no plan|test count/],
  ] as const) {
    const { code, output } = await runner({ ends: body })
    t.match(output, reason, body)
    t.match(output, /\d+ passed, 1 failed, 0 skipped\n$/, body)
    t.equal(code, 1, body)
  }
})

void t.test('what is skipped is told with its reason, and fails on CI', async (t) => {
  const files = { skips: `t.ok(true); t.test('needs it', { skip: 'it is not there' }, () => {})` }
  const here = await runner(files)
  t.equal(
    here.output,
    `skipped ${SOURCE}/skips.test.ts: needs it: it is not there\n1 passed, 0 failed, 1 skipped\n`,
  )
  t.equal(here.code, 0)
  const onCi = await runner(files, { CI: 'true' })
  t.match(onCi.output, /FAILED: on CI nothing may be skipped\n1 passed, 0 failed, 1 skipped\n$/)
  t.equal(onCi.code, 1)
})

void t.test('which files there are, and which an argument names', (t) => {
  const files = findTests()
  const sources = files.map(({ source }) => source)
  t.ok(sources.includes('test/runner/runner.test.ts'))
  t.strictSame(
    files.filter(({ docker }) => docker).map(({ unit }) => unit),
    files.filter(({ docker }) => docker).map(() => false),
    'what needs an engine is no unit test',
  )
  t.ok(files.filter(({ unit }) => unit).length > 50)
  const named = (argument: string) => select(files, argument).map(({ source }) => source)
  const itself = 'test/runner/runner.test.ts'
  for (const name of [
    itself,
    `./${itself}`,
    'dist/test/runner/runner.test.js',
    'test/runner',
    'dist/test/runner/',
  ])
    t.strictSame(named(name), [itself], name)
  t.strictSame(named('no/such'), [])
  t.end()
})

void t.test('positions are those of the sources', (t) => {
  const lines = readFileSync('dist/test/runner/files.js', 'utf8').split('\n')
  const line = lines.findIndex((text) => text.startsWith('export function findTests')) + 1
  t.match(toSources(`at dist/test/runner/files.js:${String(line)}:1`), /^at test\/runner\/files\.ts:\d+:1$/)
  t.equal(toSources('at dist/no/such.js:1:1'), 'at dist/no/such.js:1:1')
  t.end()
})
