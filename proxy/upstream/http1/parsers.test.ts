import fc from 'fast-check'
import t from 'tap'
import { growth } from '#test/fixtures/growth.js'
import { ChunkedReader } from './chunked-reader.js'
import { MAX_HEAD, readHead } from './response-head.js'

// test/http-table.test.ts tries what is taken and refused; this, that it does not depend on how the bytes arrive.

const latin1 = (text: string) => Buffer.from(text, 'latin1')

const headPiece = fc.constantFrom(
  ...[
    'HTTP/1.1 200 OK',
    'HTTP/1.1 ',
    'HTTP/1.0 204',
    '\r\n',
    '\n',
    '\r',
    '\r\n\r\n',
    ' ',
    '\t',
    ':',
    '\0',
    '\x01',
    ',',
  ],
  ...[
    'Content-Length: 2',
    'content-length',
    'Transfer-Encoding: chunked',
    'X: y',
    'x',
    '2',
    'chunked',
    '\xe4',
    'Connection: close',
  ],
)
const heads = fc.oneof(
  fc.array(headPiece, { maxLength: 14 }).map((pieces) => pieces.join('')),
  fc.array(headPiece, { maxLength: 10 }).map((pieces) => `HTTP/1.1 200 OK\r\n${pieces.join('')}\r\n\r\n`),
)

/** What comes of a head that arrives in pieces. */
function inPieces(bytes: Buffer, cuts: readonly number[]) {
  let seen = 0
  for (const end of [...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]) {
    if (end <= seen) continue
    const head = readHead(bytes.subarray(0, end), seen)
    if (head !== null) return head
    seen = end
  }
  return null
}

void t.test('a head is the same in whatever pieces it comes; nothing throws', (t) => {
  let whole = 0
  fc.assert(
    fc.property(heads, fc.array(fc.nat(), { maxLength: 6 }), (text, cuts) => {
      const bytes = latin1(text)
      const [one, other] = [readHead(bytes, 0), inPieces(bytes, cuts)]
      if (one !== null && 'status' in one) {
        whole += 1
        t.strictSame(other, one, JSON.stringify([text, cuts]))
        if (one.length > bytes.length) throw new Error('longer than what came')
      } else if (other !== null && 'status' in other && (one === null || !('status' in one)))
        // A head that is whole earlier than the bytes are has the same meaning, whatever comes behind it.
        t.strictSame(readHead(bytes.subarray(0, other.length), 0), other, JSON.stringify([text, cuts]))
    }),
    { numRuns: 3_000 },
  )
  t.ok(whole > 100, `${String(whole)} were whole`)
  t.end()
})

void t.test('what is no HTTP is known by its first bytes; what may be is waited for', (t) => {
  for (const text of ['S', 'HTTP/2', 'HTTPX', '\x16', '\0', '<', 'HTTP/1 '])
    t.ok(readHead(latin1(text), 0), JSON.stringify(text))
  for (const text of [
    '',
    'H',
    'HTTP/1',
    'HTTP/1.1 200',
    '\r',
    '\r\n',
    '\n',
    '\r\n\r\n',
    '\r\nHTTP/1.1 200 OK\r\n',
  ])
    t.equal(readHead(latin1(text), 0), null, JSON.stringify(text))
  t.match(readHead(latin1('\n\n\nHTTP/1.1 200 OK\r\n\r\n'), 0), { problem: /does not begin/ })
  t.equal(readHead(latin1(`HTTP/1.1 200 OK\r\nX: ${'y'.repeat(MAX_HEAD - 40)}`), 0), null)
  t.match(readHead(latin1(`HTTP/1.1 200 OK\r\nX: ${'y'.repeat(MAX_HEAD)}`), 0), { problem: /256 KiB/ })
  t.match(readHead(latin1(`HTTP/1.1 200 OK\r\nX: ${'y'.repeat(MAX_HEAD)}\r\n\r\n`), 0), {
    problem: /256 KiB/,
  })
  t.end()
})

void t.test('names that mean something to JavaScript are names', (t) => {
  const head = readHead(latin1('HTTP/1.1 200 OK\r\n__proto__: a\r\nconstructor: b\r\ntoString: c\r\n\r\n'), 0)
  if (head === null || !('status' in head)) throw new Error('not read')
  t.strictSame(Object.entries(head.headers), [
    ['__proto__', 'a'],
    ['constructor', 'b'],
    ['tostring', 'c'],
  ])
  t.end()
})

void t.test('a head takes time by its length, also byte by byte', (t) => {
  for (const unit of ['X: y\r\n', 'X: y\n', ' fold\r\n', 'X:\r\n y\r\n', 'X: a,a,a,a\r\n', '\r', ':', ' ']) {
    const read = (length: number) => {
      const bytes = latin1(`HTTP/1.1 200 OK\r\nA: b\r\n${unit.repeat(length / unit.length)}\r\n\r\n`)
      for (let end = 1; end <= bytes.length; end += 1)
        if (readHead(bytes.subarray(0, end), end - 1) !== null) break
    }
    const times = growth(
      () => read(4_000),
      () => read(32_000),
    )
    t.ok(times < 30, `${JSON.stringify(unit)}: ${String(times)}`)
  }
  t.end()
})

function decode(bytes: Buffer, cuts: readonly number[]) {
  const reader = new ChunkedReader()
  let data = ''
  let at = 0
  for (const end of [...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]) {
    const piece = bytes.subarray(at, end)
    const next = reader.push(piece, 0, (chunk) => {
      data += chunk.toString('latin1')
      return true
    })
    if (typeof next === 'object') return next.problem
    if (reader.isDone) return { data, rest: bytes.length - at - next, trailers: reader.trailers }
    at = end
  }
  return null
}

void t.test('chunks are the same in whatever pieces they come', (t) => {
  const chunk = fc.string({ minLength: 1, maxLength: 40 }).map((text) => Buffer.from(text))
  const written = fc.tuple(
    fc.array(chunk, { maxLength: 6 }),
    fc.constantFrom('', ';a=b', ' ', '  ;x="y"'),
    fc.boolean(),
  )
  fc.assert(
    fc.property(written, fc.array(fc.nat(), { maxLength: 8 }), ([chunks, extension, hasTrailers], cuts) => {
      const body = chunks.flatMap((one) => [
        latin1(`${one.length.toString(16)}${extension}\r\n`),
        one,
        latin1('\r\n'),
      ])
      const bytes = Buffer.concat([...body, latin1(`0\r\n${hasTrailers ? 'X: y\r\nZ: w\r\n' : ''}\r\nNEXT`)])
      const result = decode(bytes, cuts)
      const expected = { data: Buffer.concat(chunks).toString('latin1'), rest: 4 }
      // Bytes behind the end that come in later pieces are not looked at here.
      t.match(result, { data: expected.data, trailers: hasTrailers ? { x: 'y', z: 'w' } : null })
    }),
    { numRuns: 1_000 },
  )
  const damaged = fc.array(
    fc.constantFrom('2', 'a', ';', '\r', '\n', '\r\n', ' ', 'ok', '0', '0\r\n\r\n', ':', '\0'),
    { maxLength: 10 },
  )
  fc.assert(
    fc.property(damaged, fc.array(fc.nat(), { maxLength: 6 }), (pieces, cuts) => {
      const bytes = latin1(pieces.join(''))
      const [one, other] = [decode(bytes, []), decode(bytes, cuts)]
      const ofData = (result: ReturnType<typeof decode>) =>
        typeof result === 'object' ? result?.data : typeof result
      t.equal(ofData(other), ofData(one), JSON.stringify([pieces, cuts]))
    }),
    { numRuns: 3_000 },
  )
  t.end()
})
