import t from 'tap'
import { parseHostname } from '#firewall/names/hostname.js'
import { SANDBOX } from '#test/fixtures/gateway.js'
import { destination, service, testPolicy } from '#test/fixtures/policy.js'
import { Ledger } from '#firewall/ledger/ledger.js'
import { createProxySnapshot } from '../context/snapshot.js'
import { newInquiry, type RequestConnection } from './exchange.js'
import { readTarget } from './read-target.js'

const origin = (scheme: 'http' | 'https', host: string, port: number) => ({ scheme, host, port })
const policy = testPolicy({
  destinations: [destination('https://api.example', ['allow * /**'], { id: 'services.api' })],
  services: [
    service('api', 'https://api.example', null),
    service('based', 'https://api.example', null, {
      targets: [{ origin: origin('https', 'api.example', 443), basePath: '/v2' }],
    }),
    service('two', 'https://a.example', null, {
      targets: [
        { origin: origin('https', 'a.example', 443), basePath: '' },
        { origin: origin('https', 'b.example', 8443), basePath: '/b' },
      ],
    }),
    service('none', 'https://a.example', null, { targets: [] }),
  ],
})
const snapshot = createProxySnapshot(policy, new Ledger(), Date.now)

function read(
  listener: RequestConnection['listener'],
  requestTarget: string,
  headers: Record<string, string | string[]>,
  bound: Partial<RequestConnection> = {},
) {
  const connection = {
    ...{ listener, sandbox: SANDBOX, peer: { address: '10.0.0.2', port: 1 } },
    ...{ host: null, scheme: null, port: null, checkedName: null, ...bound },
  }
  const inquiry = newInquiry({ connection, snapshot, charge: false, method: 'GET', requestTarget, headers })
  const denial = readTarget(inquiry, policy)
  const { origin: found, target, service: name } = inquiry
  return (
    denial?.reason ??
    `${found === null ? '' : `${found.scheme}://${found.host}:${String(found.port)}`} ${target ?? ''}${name === null ? '' : ` ${name}`}`
  )
}

const https = { scheme: 'https', host: parseHostname('a.example'), port: 443 } as const
const tunnel = { scheme: null, host: parseHostname('a.example'), port: 8080 } as const

void t.test('the origin and the path of a request, as each listener is asked', (t) => {
  const host = { host: 'a.example' }
  for (const [listener, target, headers, wanted, bound] of [
    ['transparent', '/x?y', host, 'http://a.example:80 /x?y'],
    ['transparent', '/x', { host: 'A.example:8080' }, 'http://a.example:8080 /x'],
    ['transparent', '/x', host, 'https://a.example:443 /x', https],
    ['transparent', '/x', { host: 'a.example:8443' }, 'https://a.example:8443 /x', https],
    ['transparent', '/x', { host: 'a/b' }, 'bad-authority'],
    ['transparent', '/x', { host: 'user@a.example' }, 'bad-authority'],
    ['transparent', '/x', { host: '' }, 'bad-authority'],
    ['transparent', 'https://a.example/x', host, 'https://a.example:443 /x', https],
    ['transparent', 'http://a.example/x', host, 'host-mismatch', https],
    ['transparent', 'https://a.example/x', host, 'host-mismatch'],
    ['transparent', 'http://a.example/x', host, 'http://a.example:80 /x'],
    ['transparent', 'http://b.example/x', host, 'host-mismatch'],
    ['transparent', 'http://a b/x', host, 'bad-authority'],
    ['transparent', '/http://b.example/x', host, 'http://a.example:80 /http://b.example/x'],
    ['forward', '/x', host, 'bad-authority'],
    ['forward', 'ftp://a.example/x', host, 'bad-authority'],
    ['forward', 'xhttp://a.example/x', host, 'bad-authority'],
    ['forward', 'HTTP://a.example/x', host, 'http://a.example:80 /x'],
    ['forward', 'HTTPS://a.example/x', host, 'https://a.example:443 /x'],
    ['forward', 'https://a.example:8443/x', { host: 'a.example:8443' }, 'https://a.example:8443 /x'],
    ['forward', 'https://a.example:8443/x', host, 'host-mismatch'],
    ['forward', 'https://a.example/x', { host: 'a.example:443' }, 'https://a.example:443 /x'],
    ['forward', 'https://a.example/x', { host: 'a.example:80' }, 'host-mismatch'],
    ['forward', 'https://a.example/x', { host: 'b.example' }, 'host-mismatch'],
    ['forward', 'https://a.example', host, 'https://a.example:443 /'],
    ['forward', 'https://a.example?x', host, 'https://a.example:443 /?x'],
    ['forward', 'https://a.example#x', host, 'https://a.example:443 /#x'],
    ['forward', 'https:///x', host, 'bad-authority'],
    ['forward', 'https://a.example/x', { host: 'a/b' }, 'bad-authority'],
    ['forward', '/x', host, 'http://a.example:80 /x', tunnel],
    ['forward', 'https://a.example/x', host, 'host-mismatch', tunnel],
    ['reverse', '/api/x?y=1', host, 'https://api.example:443 /x?y=1 api'],
    ['reverse', '/api', host, 'https://api.example:443 / api'],
    ['reverse', '/api?y', host, 'https://api.example:443 /?y api'],
    ['reverse', '/api#y', host, 'https://api.example:443 /#y api'],
    ['reverse', '/based/x', host, 'https://api.example:443 /v2/x based'],
    ['reverse', '/based', host, 'https://api.example:443 /v2/ based'],
    ['reverse', '/apix/x', host, 'unknown-service'],
    ['reverse', '/', host, 'unknown-service'],
    ['reverse', '//api/x', host, 'unknown-service'],
    ['reverse', '?/api/x', host, 'unknown-service'],
    ['reverse', 'https://api.example/api/x', host, 'unknown-service'],
    ['reverse', '/api/a\nb', host, 'https://api.example:443 /a\nb api'],
    ['reverse', '/none/x', host, 'target-required'],
    ['reverse', '/two/x', host, 'target-required'],
    ['reverse', '/two/x', { 'x-sandbox-target': 'https://a.example' }, 'https://a.example:443 /x two'],
    [
      'reverse',
      '/two/x',
      { 'x-sandbox-target': 'https://b.example:8443' },
      'https://b.example:8443 /b/x two',
    ],
    ['reverse', '/two/x', { 'x-sandbox-target': 'https://b.example' }, 'bad-target'],
    ['reverse', '/two/x', { 'x-sandbox-target': 'https://a.example.evil' }, 'bad-target'],
    ['reverse', '/two/x', { 'x-sandbox-target': ['https://a.example', 'x'] }, 'bad-target'],
    ['reverse', '/two/x', { 'x-sandbox-target': '' }, 'bad-target'],
    ['reverse', '/api/x', { 'x-sandbox-target': 'https://a.example' }, 'bad-target'],
  ] as const) {
    t.equal(
      read(listener, target, headers as Record<string, string | string[]>, bound ?? {}),
      wanted,
      `${listener} ${target} ${JSON.stringify(headers)}`,
    )
  }
  t.end()
})
