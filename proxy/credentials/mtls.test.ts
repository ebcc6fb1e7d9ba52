import { inspect } from 'node:util'
import t from 'tap'
import { createCa } from '#test/servers/certificate-authority.js'
import type { SecretPatterns } from '#firewall/secrets/secret-patterns.js'
import { Secret } from '#firewall/secrets/secret.js'
import { NO_TOOLS, outgoingRequest } from '#test/fixtures/outgoing.js'
import { redactBytes } from '../redaction/redact.js'
import { mtls } from './mtls.js'

/** Whether a line of the key is left in a response that says it. */
function shows(patterns: SecretPatterns, key: string): boolean {
  const [, ...lines] = key.trim().split('\n').slice(0, -1)
  const said = redactBytes(Buffer.from(JSON.stringify({ key })), patterns).toString()
  if (lines.length < 2) throw new Error('a key has lines')
  return lines.some((line) => said.includes(line))
}

void t.test(
  'a certificate is shown with its own key alone, when one is rotated before the other too',
  async (t) => {
    const authority = await createCa('clients')
    const [one, two] = [await authority.issue(['one']), await authority.issue(['two'])]
    const certificate = new Secret('CERT', one.cert, [])
    const key = new Secret('KEY', one.key)
    const credential = mtls.bind('api/mtls', { certificate, key })
    const request = outgoingRequest()
    const before = credential.clientCertificate
    t.equal(credential.inject(request, NO_TOOLS), null)
    t.strictSame(request, outgoingRequest(), 'the request is as it was')
    t.equal(before?.certificate.trim(), one.cert.trim())
    t.equal(before?.key.reveal(), one.key)
    t.equal(credential.clientCertificate, before, 'the same until something changes')
    t.notOk(shows(credential.secretPatterns(), one.key))
    t.notMatch(inspect(credential, { depth: 9, showHidden: true, getters: true }), one.key.slice(40, 80))

    key.rotate(two.key)
    t.match(credential.inject(request, NO_TOOLS), { reason: 'credential-unavailable' })
    t.equal(before?.key.reveal(), one.key, 'a request in flight keeps its pair')
    certificate.rotate(two.cert, [])
    t.equal(credential.inject(request, NO_TOOLS), null)
    t.match(credential.clientCertificate?.certificate, two.cert.trim())
    t.notOk(shows(credential.secretPatterns(), one.key))

    t.equal(mtls.check({ certificate: one.cert, key: one.key }), null)
    t.match(mtls.check({ certificate: one.cert, key: two.key }), /does not match/)
    t.match(mtls.check({ certificate: one.key, key: one.key }), /not valid PEM/)
    t.match(mtls.check({ certificate: one.cert, key: 'nonsense' }), /not valid PEM/)
  },
)

void t.test('one secret with both, used for both fields', async (t) => {
  const authority = await createCa('clients')
  const [one, two] = [await authority.issue(['one']), await authority.issue(['two'])]
  const certificate = new Secret('BOTH', one.key + one.cert, [])
  const key = new Secret('BOTH', one.key + one.cert)
  const credential = mtls.bind('api/mtls', { certificate, key })
  t.equal(mtls.check({ certificate: certificate.reveal(), key: key.reveal() }), null)
  t.equal(credential.inject(outgoingRequest(), NO_TOOLS), null)
  t.equal(
    credential.clientCertificate?.certificate.trim(),
    one.cert.trim(),
    'no key where certificates are told',
  )
  t.equal(credential.clientCertificate?.key.reveal(), one.key)
  t.notOk(shows(credential.secretPatterns(), one.key))
  for (const secret of [certificate, key]) secret.rotate(two.cert + two.key, secret === key ? undefined : [])
  t.equal(credential.inject(outgoingRequest(), NO_TOOLS), null)
  t.equal(credential.clientCertificate?.key.reveal(), two.key)
})
