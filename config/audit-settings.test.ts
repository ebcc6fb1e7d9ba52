import t, { type Test } from 'tap'
import { readAuditSettings } from './audit-settings.js'
import { loadPolicy } from './load.js'
import { readSettings } from './settings.js'
import { writeFiles } from './test-fixtures.js'

async function load(test: Test, text: string) {
  const directory = writeFiles(test.testdir({}), { 'egress.yaml': text })
  return await loadPolicy('egress.yaml', { kinds: [], env: {}, cwd: directory })
}

void t.test('a policy says it, and the environment overrides it', async (t) => {
  const { audit, settings } = await load(
    t,
    'audit: { keep: 30d, max: 20GiB, compress: gzip, anchor: /mnt/anchor, min_free: 1GiB }\nallow: [{ host: a.example }]\n',
  )
  t.strictSame(readAuditSettings({}, audit), {
    ...{ keepMs: 30 * 86_400_000, maxBytes: 20 * 1024 ** 3, compress: 'gzip', anchor: '/mnt/anchor' },
    ...{ alerts: null, logFormat: 'pretty' },
  })
  t.match(readAuditSettings({ EGRESS_AUDIT_KEEP: '12h', EGRESS_AUDIT_COMPRESS: 'none' }, audit), {
    ...{ keepMs: 43_200_000, compress: 'none', maxBytes: 20 * 1024 ** 3 },
  })
  const minFree = (env: Record<string, string>) =>
    readSettings({ flags: {}, env, cwd: '/', file: settings }).auditMinFreeBytes
  t.equal(minFree({}), 1024 ** 3)
  t.equal(minFree({ EGRESS_AUDIT_MIN_FREE: '1MiB' }), 1024 ** 2)
  for (const wrong of ['keep: 30', 'max: much', 'compress: zip', 'anchor: here', 'min_free: 3', 'kept: 1d'])
    await t.rejects(load(t, `audit: { ${wrong} }\nallow: [{ host: a.example }]\n`), /egress\.yaml:1/, wrong)
})

void t.test('what becomes of the audit log, from the environment', (t) => {
  const none = {
    keepMs: null,
    maxBytes: null,
    compress: 'none',
    anchor: null,
    alerts: null,
    logFormat: 'pretty',
  }
  t.strictSame(readAuditSettings({}), none)
  t.strictSame(readAuditSettings({ EGRESS_AUDIT_KEEP: '', EGRESS_ALERT_URL: '' }), none, 'empty is unset')
  t.match(
    readAuditSettings({
      ...{ EGRESS_AUDIT_KEEP: '30d', EGRESS_AUDIT_MAX: '20GiB', EGRESS_AUDIT_COMPRESS: 'gzip' },
      ...{ EGRESS_AUDIT_ANCHOR: '/mnt/anchor', EGRESS_LOG_FORMAT: 'json' },
      ...{ EGRESS_ALERT_URL: 'https://alerts.example/', EGRESS_ALERT_SECRET: '0123456789abcdef' },
    }),
    {
      ...{ keepMs: 30 * 86_400_000, maxBytes: 20 * 1024 ** 3, compress: 'gzip', anchor: '/mnt/anchor' },
      ...{ logFormat: 'json', alerts: { url: 'https://alerts.example/' } },
    },
  )
  for (const [name, value] of [
    ['EGRESS_AUDIT_KEEP', '30'],
    ['EGRESS_AUDIT_KEEP', '0d'],
    ['EGRESS_AUDIT_MAX', 'much'],
    ['EGRESS_AUDIT_COMPRESS', 'zip'],
    ['EGRESS_AUDIT_ANCHOR', 'relative'],
    ['EGRESS_AUDIT_ANCHOR', 'http://elsewhere.example/'],
    ['EGRESS_ALERT_URL', 'http://elsewhere.example/'],
    ['EGRESS_ALERT_URL', 'https://a.example/'],
    ['EGRESS_LOG_FORMAT', 'xml'],
  ] as const)
    t.throws(() => readAuditSettings({ [name]: value }), { code: 'EGRESS_SETTINGS' }, `${name}=${value}`)
  t.end()
})
