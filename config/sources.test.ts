import t from 'tap'
import { parseDotenv } from './dotenv.js'
import { placeholderFormat } from './placeholder-format.js'
import { parseDuration, parseSize } from './quantities.js'
import { readSettings, SettingsError } from './settings.js'
import { TOKEN_FORMATS } from './token-formats.js'

void t.test('.env: what is read', (t) => {
  const { values, errors } = parseDotenv(
    `\n# comment\nA=1\n  export B=two # comment\nC='a # "b" $c \\'\nD="x \\"y\\" \\\\"\r\nE=\nF=a=b#c\n`,
  )
  t.same(errors, [])
  t.same(Object.fromEntries(values), {
    A: '1',
    B: 'two',
    C: 'a # "b" $c \\',
    D: 'x "y" \\',
    E: '',
    F: 'a=b#c',
  })
  t.end()
})

void t.test('.env: what is refused, and where', (t) => {
  for (const [text, line, column, problem] of [
    ['A = 1', 1, 1, /not `NAME=value`/],
    ['A=1\nA=2', 2, 1, /A is set twice/],
    ['A=two words', 1, 3, /not quoted/],
    ["A=it's", 1, 3, /not quoted/],
    ['export A="open', 1, 10, /does not end/],
    ['A="\\n"', 1, 3, /escape/],
    ['A="x"y', 1, 3, /does not end/],
    ['1A=x', 1, 1, /not `NAME=value`/],
  ] as const) {
    const { errors } = parseDotenv(text)
    t.match(errors, [{ position: { line, column }, problem }], text)
    t.equal(errors.length, 1)
  }
  t.end()
})

void t.test('durations and sizes', (t) => {
  t.equal(parseDuration('250ms'), 250)
  t.equal(parseDuration('1.5h'), 5_400_000)
  t.equal(parseSize('5GiB'), 5_368_709_120)
  t.equal(parseSize('10 MB'), 10_000_000)
  for (const text of ['', '10', '-1s', '1e3s', '1 fortnight', '1constructor', '10gb', 's']) {
    t.equal(parseDuration(text), null, text)
    t.equal(parseSize(text), null, text)
  }
  t.end()
})

void t.test('placeholders have the shape of their kind and nothing of the value', (t) => {
  const tail = 'Q7zX1vB9'
  for (const row of TOKEN_FORMATS) {
    const shape = placeholderFormat(`${row.prefix}${tail.repeat(3)}`)
    t.equal(shape.prefix, row.prefix, 'the longest prefix wins')
    t.ok(shape.length >= shape.prefix.length + 8, row.prefix)
  }
  t.same(
    placeholderFormat('x'.repeat(9)),
    placeholderFormat('y'.repeat(900)),
    'the length of an unknown secret does not show',
  )
  t.same(placeholderFormat('sk-short1'), placeholderFormat('x'.repeat(9)))
  t.end()
})

void t.test('settings: flags over environment over file over defaults', (t) => {
  const env = { HOME: '/home/dev', EGRESS_LOG_LEVEL: 'warn', EGRESS_AUDIT_DIR: 'from-env', SECRET: 'x' }
  const file = { auditDir: '/from-file', logLevel: 'error' } as const
  t.same(readSettings({ flags: {}, env: { HOME: '/home/dev' }, cwd: '/w' }), {
    policy: '/w/egress.yaml',
    auditDir: '/home/dev/.local/state/egress/audit',
    logLevel: 'info',
  })
  t.equal(readSettings({ flags: {}, env: { XDG_STATE_HOME: '/s' }, cwd: '/w' }).auditDir, '/s/egress/audit')
  t.equal(
    readSettings({ flags: {}, env: { HOME: '/h', XDG_STATE_HOME: 'rel' }, cwd: '/w' }).auditDir,
    '/h/.local/state/egress/audit',
  )
  t.same(readSettings({ flags: {}, env: { HOME: '/h' }, cwd: '/w', file }), {
    policy: '/w/egress.yaml',
    auditDir: '/from-file',
    logLevel: 'error',
  })
  t.match(readSettings({ flags: {}, env, cwd: '/w', file }), { auditDir: '/w/from-env', logLevel: 'warn' })
  const all = readSettings({
    flags: { policy: '/p.yaml', logLevel: 'debug', auditDir: undefined },
    env,
    cwd: '/w',
    file,
  })
  t.same(all, { policy: '/p.yaml', auditDir: '/w/from-env', logLevel: 'debug' })
  t.ok(Object.isFrozen(all))
  t.end()
})

void t.test('settings: a bad one is an error that says what to write', (t) => {
  const read = (env: Record<string, string>) => () => readSettings({ flags: {}, env, cwd: '/w' })
  t.throws(read({ EGRESS_LOG_LEVEL: 'debgu' }), SettingsError)
  t.throws(read({ EGRESS_LOG_LEVEL: 'debgu' }), {
    message: /^EGRESS_LOG_LEVEL cannot be.*\n {2}write `debug`/,
  })
  t.throws(read({ EGRESS_POLICY: '' }), { message: /empty/ })
  t.end()
})
