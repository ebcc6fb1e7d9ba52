import t, { type Test } from 'tap'
import { bearer } from '#proxy/credentials/bearer.js'
import { CertificateAuthority } from '#proxy/tls/certificate-authority.js'
import { Secret } from '#firewall/secrets/secret.js'
import { exchangeBytes, HTTPS_LISTENERS } from './fixtures/client.js'
import { startGateway } from './fixtures/gateway.js'
import { oneServicePolicy } from './fixtures/policy.js'
import { startUpstream } from './fixtures/upstream.js'

// RFC 9112 section 3.2.2: a server must take an absolute URL. Inside TLS it says what the connection says, or it is refused.

async function setUp(test: Test) {
  const ca = await CertificateAuthority.create(Date.now())
  const upstream = await startUpstream(ca, (request, response) => response.end(`path ${request.url ?? ''}`))
  const credential = bearer.bind('api/bearer', { token: new Secret('TOKEN', 'tok-0123456789abcdef-real') })
  const rules = ['allow GET /rest/**']
  const gateway = await startGateway(oneServicePolicy({ credential, port: upstream.port, ca: ca.pem, rules }))
  test.teardown(async () => {
    await gateway.close()
    await upstream.close()
  })
  return { gateway, upstream }
}

const TLS = HTTPS_LISTENERS.slice(0, 2)

void t.test('inside TLS, an absolute URL is the path that it ends with', async (test) => {
  const { gateway, upstream } = await setUp(test)
  for (const listener of TLS) {
    for (const target of ['https://api.example/rest/x?y=1', 'HTTPS://API.example:443/rest/x?y=1']) {
      const socket = await listener.open(gateway, 'api.example')
      const received = await exchangeBytes(socket, `GET ${target} HTTP/1.1\r\nHost: api.example\r\n\r\n`)
      test.match(received, /^HTTP\/1\.1 200 [\s\S]*path \/rest\/x\?y=1/, `${listener.name}: ${target}`)
      test.match(upstream.requests.pop(), { url: '/rest/x?y=1', headers: { host: 'api.example' } })
      test.match(gateway.decisions.pop(), {
        verdict: 'allow',
        scheme: 'https',
        host: 'api.example',
        port: 443,
        path: '/rest/x',
        query: '?y=1',
      })
    }
  }
})

void t.test('one that says something else is refused, and the record has the right URL', async (test) => {
  const { gateway, upstream } = await setUp(test)
  for (const listener of TLS) {
    for (const [target, host, reason] of [
      ['https://other.example/rest/x', 'api.example', 'host-mismatch'],
      ['https://other.example/rest/x', 'other.example', 'host-mismatch'],
      ['http://api.example/rest/x', 'api.example', 'host-mismatch'],
      ['https://api.example:444/rest/x', 'api.example', 'host-mismatch'],
      ['https://api.example:444/rest/x', 'api.example:444', 'host-mismatch'],
      ['https://u:p@api.example/rest/x', 'api.example', 'bad-authority'],
      ['https://api.example/admin', 'api.example', 'no-rule'],
      ['https://api.example/rest/../admin', 'api.example', 'path-dot-segment'],
      ['https://api.example//admin', 'api.example', 'no-rule'],
      ['ftp://api.example/rest/x', 'api.example', 'path-form'],
    ] as const) {
      const socket = await listener.open(gateway, 'api.example')
      const received = await exchangeBytes(socket, `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
      test.match(received, `"reason":"${reason}"`, `${listener.name}: ${target}, ${host}`)
      const { path, host: recorded } = gateway.decisions.pop() ?? {}
      if (reason === 'no-rule') test.equal(recorded, 'api.example')
      test.notMatch(path ?? '', /^https?:/, 'a path, not a URL')
    }
  }
  test.same(upstream.requests, [])
})
