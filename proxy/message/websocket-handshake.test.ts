import type { IncomingMessage } from 'node:http'
import t from 'tap'
import { ACCEPT_OF_UPGRADE } from '#test/fixtures/websocket.js'
import { acceptFor, asksForWebSocket, handshakeError, newKey } from './websocket-handshake.js'

const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
const ASKED = {
  upgrade: 'websocket',
  connection: 'Upgrade',
  'sec-websocket-version': '13',
  'sec-websocket-key': KEY,
}
const asks = (headers: Readonly<Record<string, string | undefined>>, more: Partial<IncomingMessage> = {}) =>
  asksForWebSocket({
    method: 'GET',
    httpVersion: '1.1',
    headers: { ...ASKED, ...headers },
    ...more,
  } as IncomingMessage)

void t.test('a client asks for a WebSocket exactly so', (t) => {
  for (const headers of [
    {},
    { upgrade: 'WebSocket' },
    { connection: 'keep-alive, UPGRADE' },
    { connection: ' upgrade ' },
    { 'content-length': '0' },
    { 'sec-websocket-key': newKey() },
  ])
    t.ok(asks(headers), JSON.stringify(headers))
  for (const headers of [
    { upgrade: undefined },
    { upgrade: 'h2c' },
    { upgrade: 'websocket, h2c' },
    { connection: undefined },
    { connection: 'keep-alive' },
    { connection: 'upgraded' },
    { 'sec-websocket-version': undefined },
    { 'sec-websocket-version': '12' },
    { 'sec-websocket-version': '13, 12' },
    { 'sec-websocket-key': undefined },
    { 'sec-websocket-key': '' },
    { 'sec-websocket-key': `${KEY}=` },
    { 'sec-websocket-key': ` ${KEY}` },
    { 'sec-websocket-key': KEY.slice(4) },
    { 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZR==' },
    { 'sec-websocket-key': `A${KEY}` },
    { 'transfer-encoding': 'chunked' },
    { 'content-length': '1' },
    { 'content-length': 'x' },
  ])
    t.notOk(asks(headers), JSON.stringify(headers))
  t.notOk(asks({}, { method: 'POST' }))
  t.notOk(asks({}, { httpVersion: '1.0' }))
  t.end()
})

void t.test('the upstream proves that it has read our key', (t) => {
  t.equal(acceptFor(KEY), ACCEPT_OF_UPGRADE)
  t.not(newKey(), newKey())
  const asked = { ...ASKED, 'sec-websocket-protocol': 'chat, super' }
  const answered = { upgrade: 'websocket', connection: 'Upgrade', 'sec-websocket-accept': ACCEPT_OF_UPGRADE }
  for (const headers of [
    {},
    { upgrade: 'WebSocket' },
    { connection: 'x, upgrade' },
    { 'sec-websocket-protocol': 'chat' },
    { 'sec-websocket-protocol': 'super' },
  ])
    t.equal(handshakeError(asked, { ...answered, ...headers }), null, JSON.stringify(headers))
  for (const [headers, error] of [
    [{ upgrade: undefined }, /not for a WebSocket/],
    [{ upgrade: 'h2c' }, /not for a WebSocket/],
    [{ connection: undefined }, /no `Connection: Upgrade`/],
    [{ connection: 'close' }, /no `Connection: Upgrade`/],
    [{ 'sec-websocket-accept': undefined }, /does not prove/],
    [{ 'sec-websocket-accept': acceptFor(newKey()) }, /does not prove/],
    [{ 'sec-websocket-accept': ACCEPT_OF_UPGRADE.toLowerCase() }, /does not prove/],
    [{ 'sec-websocket-extensions': 'permessage-deflate' }, /extension/],
    [{ 'sec-websocket-protocol': 'other' }, /subprotocol/],
    [{ 'sec-websocket-protocol': 'chat, super' }, /subprotocol/],
  ] as const)
    t.match(handshakeError(asked, { ...answered, ...headers }), error, JSON.stringify(headers))
  t.match(handshakeError(ASKED, { ...answered, 'sec-websocket-protocol': 'chat' }), /subprotocol/)
  t.equal(
    handshakeError(
      { ...ASKED, 'sec-websocket-protocol': ['a', 'b,c'] },
      { ...answered, 'sec-websocket-protocol': 'c' },
    ),
    null,
  )
  t.end()
})
