import t from 'tap'
import { readSettings, SettingsError } from './settings.js'

/** Of the admin listener, where nothing is set. */
const NO_ADMIN = {
  admin: null,
  adminTokenFile: null,
  adminHosts: [],
  auditMinFreeBytes: 64 * 1024 * 1024,
}

void t.test('settings: flags over environment over file over defaults', (t) => {
  const env = { HOME: '/home/dev', EGRESS_LOG_LEVEL: 'warn', EGRESS_AUDIT_DIR: 'from-env', SECRET: 'x' }
  const file = { auditDir: '/from-file', logLevel: 'error' } as const
  t.same(readSettings({ flags: {}, env: { HOME: '/home/dev' }, cwd: '/w' }), {
    policy: '/w/egress.yaml',
    auditDir: '/home/dev/.local/state/egress/audit',
    auditLost: 'stop',
    logLevel: 'info',
    ...NO_ADMIN,
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
    ...NO_ADMIN,
  })
  t.match(readSettings({ flags: {}, env, cwd: '/w', file }), { auditDir: '/w/from-env', logLevel: 'warn' })
  const all = readSettings({
    flags: { policy: '/p.yaml', logLevel: 'debug', auditDir: undefined },
    env,
    cwd: '/w',
    file,
  })
  t.same(all, {
    policy: '/p.yaml',
    auditDir: '/w/from-env',
    auditLost: 'stop',
    logLevel: 'debug',
    ...NO_ADMIN,
  })
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

void t.test('settings: the admin listener is on loopback unless an address is given', (t) => {
  const read = (env: Record<string, string>) => readSettings({ flags: {}, env, cwd: '/w' })
  t.same(read({ EGRESS_ADMIN: '9901' }).admin, { host: '127.0.0.1', port: 9901 })
  t.same(read({ EGRESS_ADMIN: '0.0.0.0:9901' }).admin, { host: '0.0.0.0', port: 9901 })
  t.same(read({ EGRESS_ADMIN: '[::1]:9901' }).admin, { host: '::1', port: 9901 })
  t.equal(read({ EGRESS_ADMIN: '' }).admin, null, 'what Compose passes on for a variable that is not set')
  t.equal(readSettings({ flags: { admin: '1' }, env: { EGRESS_ADMIN: '2' }, cwd: '/' }).admin?.port, 1)
  t.match(
    read({
      EGRESS_ADMIN_TOKEN_FILE: 'token',
      EGRESS_ADMIN_HOSTS: 'Proxy, gate.example',
      EGRESS_AUDIT_MIN_FREE: '1GiB',
    }),
    { adminTokenFile: '/w/token', adminHosts: ['proxy', 'gate.example'], auditMinFreeBytes: 2 ** 30 },
  )
  for (const admin of [
    'localhost:9901',
    'x',
    ':9901',
    '1.2.3.4',
    '1.2.3.4:',
    '1.2.3.999:1',
    '70000',
    '::1:80',
  ])
    t.throws(
      () => read({ EGRESS_ADMIN: admin }),
      { message: /for --admin \(EGRESS_ADMIN\)\n {2}Set it to a port/ },
      admin,
    )
  t.throws(() => read({ EGRESS_AUDIT_MIN_FREE: 'much' }), SettingsError)
  t.end()
})
