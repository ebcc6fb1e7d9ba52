import { once } from 'node:events'
import { deflateSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import t from 'tap'
import { MemoryBudget } from '#firewall/ledger/memory-budget.js'
import { SecretPatterns } from '#firewall/secrets/secret-patterns.js'
import { newHeaders } from '../message/headers.js'
import { bodyForm, isReadableGrpc } from './redactor-for.js'
import { redactHeaders } from './redact-headers.js'
import { Tally } from './tally.js'

const SECRET = 'ghp_0123456789abcdefghijABCDEFGHIJ012345'
const STARS = '*'.repeat(SECRET.length)
const PATTERNS = new SecretPatterns([Buffer.from(SECRET)])

function frame(message: Buffer | string, flags = 0): Buffer {
  const bytes = Buffer.from(message)
  const head = Buffer.alloc(5)
  head[0] = flags
  head.writeUInt32BE(bytes.length, 1)
  return Buffer.concat([head, bytes])
}

/** Field 1 of a message, a string. */
const field = (text: string) => Buffer.concat([Buffer.from([0x0a, text.length]), Buffer.from(text)])

const LIMIT = { own: 64 * 2 ** 20, all: 64 * 2 ** 20 }

/** Everything that passes, and what was counted. */
async function pass(headers: Record<string, string>, chunks: readonly Buffer[], limit = LIMIT) {
  const tally = new Tally()
  const budget = new MemoryBudget()
  const memory = budget.open('sb', limit)
  const { decode, redactor } = bodyForm(
    { 'content-type': 'application/grpc', ...headers },
    [],
    () => PATTERNS,
    tally,
    memory,
  )
  const out: Buffer[] = []
  if (decode === null) for (const chunk of chunks) out.push(redactor.push(chunk))
  else {
    const { input, output } = decode(0)
    output.on('data', (chunk: Buffer) => out.push(redactor.push(chunk)))
    const closed = once(output, 'close')
    for (const chunk of chunks) input.write(chunk)
    input.end()
    await closed
  }
  const before = Buffer.concat(out)
  return { before, all: Buffer.concat([before, redactor.flush()]), count: tally.total, held: budget.total }
}

void t.test('messages are searched, and keep their lengths and those of their fields', async (t) => {
  const body = Buffer.concat([frame(field(`a${SECRET}`)), frame(''), frame(field('hello'))])
  const expected = Buffer.concat([frame(field(`a${STARS}`)), frame(''), frame(field('hello'))])
  for (const size of [1, 2, 3, 5, 7, 50, 1000]) {
    const chunks = []
    for (let at = 0; at < body.length; at += size) chunks.push(body.subarray(at, at + size))
    const { before, all, count } = await pass({}, chunks)
    t.same(all, expected, `pieces of ${String(size)}`)
    t.same(before, expected, 'no message waits for the next one')
    t.equal(count, 1)
  }
})

void t.test('a message is whole for its client before the next one comes', async (t) => {
  for (const text of ['hello', SECRET, SECRET.slice(0, 20), 'a line\n', ''])
    t.equal((await pass({}, [frame(text)])).before.length, 5 + text.length, text)
})

void t.test('compressed messages are opened and go on as they were', async (t) => {
  for (const [encoding, compress] of [
    ['gzip', gzipSync],
    ['deflate', deflateSync],
  ] as const) {
    const body = Buffer.concat([
      frame(compress(field(SECRET)), 1),
      frame(field('plain')),
      frame(compress(Buffer.from('')), 1),
      frame(compress(Buffer.alloc(100_000, 'x')), 1),
    ])
    const expected = Buffer.concat([
      frame(field(STARS)),
      frame(field('plain')),
      frame(''),
      frame(Buffer.alloc(100_000, 'x')),
    ])
    for (const size of [1, 11, 100_000]) {
      const chunks = []
      for (let at = 0; at < body.length; at += size) chunks.push(body.subarray(at, at + size))
      const { all, count, held } = await pass({ 'grpc-encoding': encoding }, chunks)
      t.ok(all.equals(expected), `${encoding} in pieces of ${String(size)}`)
      t.equal(count, 1)
      t.equal(held, 0, 'nothing stays reserved')
    }
  }
})

void t.test('what cannot be opened does not pass', async (t) => {
  const fails = (headers: Record<string, string>, body: Buffer, limit = LIMIT) =>
    t.rejects(pass(headers, [body], limit))
  await fails({}, frame(gzipSync(SECRET), 1))
  await fails({ 'grpc-encoding': 'gzip' }, frame(deflateSync(SECRET), 1))
  await fails({ 'grpc-encoding': 'gzip' }, frame(gzipSync(Buffer.alloc(17 * 2 ** 20)), 1))
  await fails({ 'grpc-encoding': 'gzip' }, Buffer.from([1, 0x7f, 0, 0, 0, 1]))
  await fails({ 'grpc-encoding': 'gzip' }, frame(gzipSync(SECRET), 1), { own: 30, all: 30 })
  await fails({ 'content-type': 'application/grpc-web-text' }, Buffer.from('not base64!'))
  t.equal(isReadableGrpc({ 'content-type': 'application/grpc', 'grpc-encoding': 'snappy' }), false)
  t.equal(isReadableGrpc({ 'content-type': 'application/grpc', 'grpc-encoding': 'GZIP' }), true)
  t.equal(isReadableGrpc({ 'content-type': 'text/plain', 'grpc-encoding': 'snappy' }), true)
})

void t.test('gRPC-Web: text, and trailers in the body', async (t) => {
  const trailers = `grpc-status: 7\r\ngrpc-message: not ${SECRET}\r\n`
  const body = [frame(field(SECRET)), frame(trailers, 0x80)]
  const expected = Buffer.concat([frame(field(STARS)), frame(trailers.replace(SECRET, STARS), 0x80)])
  t.same((await pass({ 'content-type': 'application/grpc-web+proto' }, body)).all, expected)
  const inText = body.map((bytes) => bytes.toString('base64')).join('')
  for (const size of [1, 5, 1000]) {
    const chunks = []
    for (let at = 0; at < inText.length; at += size) chunks.push(Buffer.from(inText.slice(at, at + size)))
    const { all } = await pass({ 'content-type': 'application/grpc-web-text' }, chunks)
    const decoded = String(all)
      .match(/[^=]+=*/g)
      ?.map((part) => Buffer.from(part, 'base64'))
    t.same(Buffer.concat(decoded ?? []), expected, `pieces of ${String(size)}`)
  }
})

void t.test('what is no gRPC is one text', async (t) => {
  const body = Buffer.from(`this is ${SECRET}, and no message`)
  t.equal(
    String((await pass({}, [body.subarray(0, 15), body.subarray(15)])).all),
    String(body).replace(SECRET, STARS),
  )
})

void t.test('heads never change, and nothing but the secret does', (t) => {
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(fc.uint8Array({ maxLength: 60 }), fc.constant(Buffer.from(SECRET))), {
        maxLength: 8,
      }),
      fc.integer({ min: 1, max: 80 }),
      async (messages, size) => {
        const body = Buffer.concat(messages.map((message) => frame(Buffer.from(message))))
        const chunks = []
        for (let at = 0; at < body.length; at += size) chunks.push(body.subarray(at, at + size))
        const expected = Buffer.concat(
          messages.map((message) => {
            const text = Buffer.from(message).toString('latin1').replaceAll(SECRET, STARS)
            return frame(Buffer.from(text, 'latin1'))
          }),
        )
        return (await pass({}, chunks)).all.equals(expected)
      },
    ),
    { numRuns: 200 },
  ).then(
    () => t.end(),
    (error: unknown) => {
      t.error(error)
      t.end()
    },
  )
})

void t.test('binary metadata stays base64', (t) => {
  const headers = newHeaders()
  headers['x-details-bin'] = Buffer.from(`\0\x01${SECRET}\xff`, 'latin1')
    .toString('base64')
    .replace(/=+$/, '')
  headers['grpc-message'] = `no%20${SECRET}`
  const clean = redactHeaders(headers, PATTERNS, new Tally())
  t.equal(Buffer.from(String(clean['x-details-bin']), 'base64').toString('latin1'), `\0\x01${STARS}\xff`)
  t.equal(clean['grpc-message'], `no%20${STARS}`)
  t.end()
})
