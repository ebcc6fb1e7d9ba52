import t from 'tap'
import { readSettings, SettingsError } from './settings.js'

void t.test('settings: flags over environment over file over defaults', (t) => {
  const env = { HOME: '/home/dev', EGRESS_LOG_LEVEL: 'warn', EGRESS_AUDIT_DIR: 'from-env', SECRET: 'x' }
  const file = { auditDir: '/from-file', logLevel: 'error' } as const
  t.same(readSettings({ flags: {}, env: { HOME: '/home/dev' }, cwd: '/w' }), {
    policy: '/w/egress.yaml',
    auditDir: '/home/dev/.local/state/egress/audit',
    auditLost: 'stop',
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
    auditLost: 'stop',
    logLevel: 'error',
  })
  t.match(readSettings({ flags: {}, env, cwd: '/w', file }), { auditDir: '/w/from-env', logLevel: 'warn' })
  const all = readSettings({
    flags: { policy: '/p.yaml', logLevel: 'debug', auditDir: undefined },
    env,
    cwd: '/w',
    file,
  })
  t.same(all, { policy: '/p.yaml', auditDir: '/w/from-env', auditLost: 'stop', logLevel: 'debug' })
  t.ok(Object.isFrozen(all))
  t.end()
})

void t.test('settings: an invalid one is an error with a fix', (t) => {
  const read = (env: Record<string, string>) => () => readSettings({ flags: {}, env, cwd: '/w' })
  t.throws(read({ EGRESS_LOG_LEVEL: 'debgu' }), SettingsError)
  t.throws(read({ EGRESS_LOG_LEVEL: 'debgu' }), {
    message: /^Invalid value `debgu` for EGRESS_LOG_LEVEL\n {2}Write `debug`/,
  })
  t.throws(read({ EGRESS_POLICY: '' }), { message: /empty/ })
  t.end()
})
