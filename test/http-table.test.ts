import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { exchangeBytes } from './fixtures/client.js'
import { eventually } from './fixtures/eventually.js'
import { startGateway, type TestGateway } from './fixtures/gateway.js'
import { destination, testPolicy } from './fixtures/policy.js'
import { startRawUpstream } from './fixtures/upstream.js'

// docs/http.md draws the line between what is taken and what is refused. Each row is tried.

interface Row {
  readonly sent: string
  readonly outcome: string
}

const PAGE = readFileSync('docs/http.md', 'utf8')

function rowsOf(section: string): Row[] {
  const [, table = ''] = new RegExp(`<!-- ${section} -->([\\s\\S]*?)<!-- end -->`).exec(PAGE) ?? []
  return [...table.matchAll(/^\| `(.*?)` \| (.*?) \|.*\|$/gm)].map(([, sent = '', outcome = '']) => ({
    sent: bytesOf(sent),
    outcome,
  }))
}

/** What the escapes of the page stand for, a character for each byte. */
function bytesOf(text: string): string {
  const simple: Readonly<Record<string, string>> = { r: '\r', n: '\n', t: '\t', '0': '\0' }
  return text.replace(/\\(x([0-9a-f]{2})|[rnt0])/g, (_, name: string, hex: string | undefined) =>
    hex === undefined ? (simple[name] ?? '') : String.fromCharCode(parseInt(hex, 16)),
  )
}

/** @param respond what the upstream says to everything */
async function setUp(test: Test, respond: () => string) {
  const upstream = await startRawUpstream(null, (socket, received, chunk) => {
    if (/\r\n\r\n/.test(received) && received.endsWith(chunk)) socket.end(respond(), 'latin1')
  })
  const gateway = await startGateway(
    testPolicy({
      destinations: [destination('http://plain.example', ['allow * /**'], { id: 'allow[0]' })],
      hosts: { 'plain.example': { address: '127.0.0.1', port: upstream.port } },
    }),
  )
  test.teardown(async () => {
    await gateway.close()
    await upstream.close()
  })
  return { upstream, gateway }
}

const send = (gateway: TestGateway, bytes: string) =>
  exchangeBytes(connect(gateway.ports.http, '127.0.0.1'), Buffer.from(bytes, 'latin1'), { quietMs: 10 })

const GET = 'GET / HTTP/1.1\r\nHost: plain.example\r\n\r\n'

void t.test('responses', async (test) => {
  let row: Row = { sent: '', outcome: '' }
  const { gateway } = await setUp(test, () => row.sent)
  const rows = rowsOf('responses')
  test.ok(rows.length > 50, `${String(rows.length)} rows`)
  for (row of rows) {
    const name = `${JSON.stringify(row.sent)}: ${row.outcome}`
    gateway.closes.length = 0
    const received = await send(gateway, GET)
    await eventually(() => gateway.closes.length > 0)
    const detail = gateway.closes[0]?.detail ?? ''
    const [, cut] = /^cut: (.*)$/.exec(row.outcome) ?? []
    const [, status = '', problem = ''] = /^(\d{3})(?: ([^`].*))?$/.exec(row.outcome) ?? []
    if (cut !== undefined) {
      test.equal(detail, cut, name)
      test.notMatch(received, /\r\n0\r\n\r\n$/, 'the end is missing')
    } else if (status === '502') {
      test.match(received, /^HTTP\/1\.1 502 /, name)
      test.equal(detail.split(': `')[0], problem, name)
      test.ok(received.includes(problem), 'and the client is told')
    } else {
      const [expected = '', ...headers] = [...row.outcome.matchAll(/`(.*?)`/g)].map(([, one = '']) =>
        bytesOf(one),
      )
      test.ok(received.startsWith(`HTTP/1.1 ${row.outcome.slice(0, 3)} `), name)
      const [head = '', body = ''] = received.split('\r\n\r\n')
      const text = /^transfer-encoding/im.test(head)
        ? body.replace(/^[0-9a-f]+\r\n/, '').split('\r\n')[0]
        : body
      test.equal(text, expected, name)
      for (const header of headers)
        test.ok(head.toLowerCase().includes(`\r\n${header.toLowerCase()}`), header)
    }
  }
  test.same(gateway.failures, [])
})

void t.test('requests', async (test) => {
  const { gateway, upstream } = await setUp(test, () => 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  const rows = rowsOf('requests')
  test.ok(rows.length > 20, `${String(rows.length)} rows`)
  for (const { sent, outcome } of rows) {
    const before = upstream.received.length
    const received = await send(gateway, sent)
    const [status = '', reason = ''] = outcome.split(' ')
    const name = `${JSON.stringify(sent)}: ${outcome}`
    test.ok(received.startsWith(`HTTP/1.1 ${status} `), `${name} (${received.slice(0, 40)})`)
    const arrived = upstream.received.slice(before)
    test.equal(arrived.length, status === '200' ? 1 : 0, 'what is refused reaches no upstream')
    if (reason !== '') test.ok(received.includes(`"reason":"${reason}"`), reason)
    for (const line of sent.match(/\r\nX: .*/g) ?? []) {
      if (status === '200') test.ok(arrived[0]?.includes(line.replace('X', 'x')), 'byte by byte')
    }
  }
  test.same(gateway.failures, [])
})
