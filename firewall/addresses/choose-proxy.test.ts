import t from 'tap'
import type { UpstreamProxies, UpstreamProxy } from '../contracts/upstream-proxy.js'
import { chooseProxy, matchesNoProxy } from './choose-proxy.js'

void t.test('entries of no_proxy, as curl reads them', (t) => {
  for (const [entry, host, port, matches] of [
    ['*', 'any.example', 443, true],
    ['corp.example', 'corp.example', 443, true],
    ['corp.example', 'git.corp.example', 443, true],
    ['.corp.example', 'git.corp.example', 443, true],
    ['.corp.example', 'corp.example', 443, true],
    ['*.corp.example', 'git.corp.example', 443, true],
    ['CORP.example.', 'git.corp.example', 443, true],
    ['corp.example', 'notcorp.example', 443, false],
    ['corp.example', 'corp.example.evil.test', 443, false],
    ['corp.example:8443', 'git.corp.example', 8443, true],
    ['corp.example:8443', 'git.corp.example', 443, false],
    ['10.0.0.0/8', '10.1.2.3', 443, true],
    ['10.0.0.0/8', '11.1.2.3', 443, false],
    ['10.0.0.0/8', 'ten.example', 443, false],
    ['10.1.2.3', '10.1.2.3', 443, true],
    ['10.1.2.3:80', '10.1.2.3', 443, false],
    ['[fd00::1]:443', 'fd00::1', 443, true],
    ['fd00::/8', 'fd00::1', 443, true],
    ['10.0.0.0/33', '10.0.0.1', 443, false],
    ['', 'any.example', 443, false],
    ['.', 'any.example', 443, false],
  ] as const)
    t.equal(matchesNoProxy(entry, host, port), matches, `${entry} and ${host}:${String(port)}`)
  t.end()
})

void t.test('the proxy of the scheme, unless the name or its fixed address is excepted', (t) => {
  const proxy = (host: string): UpstreamProxy => ({ scheme: 'http', host, port: 3128, credential: null })
  const proxies: UpstreamProxies = {
    https: proxy('secure'),
    http: null,
    noProxy: ['corp.example', '10.0.0.0/8'],
  }
  const hostFor = (scheme: 'http' | 'https', host: string, fixed: string | null = null) =>
    chooseProxy(proxies, { scheme, host, port: 443 }, fixed)?.host ?? null
  t.equal(hostFor('https', 'api.example'), 'secure')
  t.equal(hostFor('http', 'api.example'), null)
  t.equal(hostFor('https', 'git.corp.example'), null)
  t.equal(hostFor('https', 'api.example', '10.0.0.5'), null)
  t.equal(hostFor('https', 'api.example', '192.0.2.5'), 'secure')
  t.equal(chooseProxy(null, { scheme: 'https', host: 'api.example', port: 443 }, null), null)
  t.end()
})
