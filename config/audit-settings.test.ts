import t from 'tap'
import { readAuditSettings } from './audit-settings.js'

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
