import fc from 'fast-check'
import t from 'tap'
import { frame } from '#test/fixtures/websocket.js'
import { FrameReader } from './frame-reader.js'

const bytes = (text: string) => Buffer.from(text, 'latin1')

void t.test('frames pass as they are, however they are cut', (t) => {
  const one = fc.record({
    text: fc.string({ maxLength: 300, unit: 'binary-ascii' }),
    kind: fc.constantFrom(0x81, 0x82, 0x89, 0x8a),
  })
  fc.assert(
    fc.property(
      fc.array(one, { maxLength: 8 }),
      fc.boolean(),
      fc.array(fc.nat(40), { minLength: 1 }),
      (list, masked, cuts) => {
        const all = bytes(
          list
            .map(({ text, kind }) => frame(kind > 0x88 ? text.slice(0, 125) : text, { first: kind, masked }))
            .join(''),
        )
        const reader = new FrameReader(masked ? 'client' : 'server')
        const out: Buffer[] = []
        for (let at = 0, turn = 0; at < all.length; turn += 1) {
          const size = (cuts[turn % cuts.length] ?? 0) + 1
          const read = reader.push(all.subarray(at, at + size))
          if (read === null) return false
          out.push(read)
          at += size
        }
        return Buffer.concat(out).equals(all)
      },
    ),
    { numRuns: 3_000 },
  )
  t.end()
})

void t.test('nothing passes that is not a frame of this side, byte by byte', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary-ascii', minLength: 2, maxLength: 60 }), (text) => {
      const reader = new FrameReader('client')
      // No text of ASCII has the mask bit in its second byte.
      let passed = 0
      for (const byte of bytes(text)) passed += reader.push(Buffer.from([byte]))?.length ?? 0
      return passed === 0
    }),
  )
  t.equal(new FrameReader('client').push(bytes('GET / HTTP/1.1\r\n')), null)
  t.equal(new FrameReader('server').push(bytes('HTTP/1.1 200 OK\r\n')), null)
  t.end()
})

void t.test('what follows a close frame is dropped', (t) => {
  const reader = new FrameReader('server')
  const close = frame('\x03\xe8bye', { first: 0x88 })
  t.strictSame(reader.push(bytes(close + frame('more'))), bytes(close))
  t.ok(reader.closed)
  t.strictSame(reader.push(bytes('anything')), Buffer.alloc(0))
  t.end()
})

const head = (...all: number[]) => Buffer.from(all)
/** A head for `length` in the form with the given number of bytes. */
function lengthHead(first: number, length: bigint, size: 2 | 8): Buffer {
  const bytes = Buffer.alloc(size)
  if (size === 2) bytes.writeUInt16BE(Number(length))
  else bytes.writeBigUInt64BE(length)
  return Buffer.concat([head(first, size === 2 ? 126 : 127), bytes])
}

void t.test('heads that a peer may send, and heads that it may not', (t) => {
  const text = head(0x01, 0)
  for (const [name, parts, isAllowed] of [
    ['a whole text', [head(0x81, 0)], true],
    ['whole bytes', [head(0x82, 0)], true],
    ['a fragment and its end', [text, head(0x80, 0)], true],
    ['a control frame between fragments', [text, head(0x89, 0), head(0x80, 0)], true],
    ['two fragments and their end', [text, head(0x00, 0), head(0x80, 0)], true],
    ['a continuation of nothing', [head(0x80, 0)], false],
    ['a continuation behind the end', [text, head(0x80, 0), head(0x80, 0)], false],
    ['a text within a message', [text, head(0x81, 0)], false],
    ['bytes within a message', [text, head(0x02, 0)], false],
    ['opcode 3', [head(0x83, 0)], false],
    ['opcode 7', [head(0x87, 0)], false],
    ['opcode 11', [head(0x8b, 0)], false],
    ['opcode 15', [head(0x8f, 0)], false],
    ['the first reserved bit: compressed', [head(0xc1, 0)], false],
    ['the second reserved bit', [head(0xa1, 0)], false],
    ['the third reserved bit', [head(0x91, 0)], false],
    ['a fragment of a ping', [head(0x09, 0)], false],
    ['a pong', [head(0x8a, 0)], true],
    ['a ping of 125 bytes', [head(0x89, 125), Buffer.alloc(125)], true],
    ['a ping of 126 bytes', [lengthHead(0x89, 126n, 2)], false],
    ['a close of nothing', [head(0x88, 0)], true],
    ['a close of half a code', [head(0x88, 1)], false],
    ['a close of a code', [head(0x88, 2), Buffer.alloc(2)], true],
    ['a pong of one byte', [head(0x8a, 1), Buffer.alloc(1)], true],
    ['125 bytes in a byte', [head(0x82, 125)], true],
    ['126 bytes in two', [lengthHead(0x82, 126n, 2)], true],
    ['125 bytes in two', [lengthHead(0x82, 125n, 2)], false],
    ['65535 bytes in two', [lengthHead(0x82, 65_535n, 2)], true],
    ['65536 bytes in eight', [lengthHead(0x82, 65_536n, 8)], true],
    ['65535 bytes in eight', [lengthHead(0x82, 65_535n, 8)], false],
    ['the longest length', [lengthHead(0x82, BigInt(Number.MAX_SAFE_INTEGER), 8)], true],
    ['a length that no number holds', [lengthHead(0x82, BigInt(Number.MAX_SAFE_INTEGER) + 1n, 8)], false],
    ['a mask from a server', [head(0x81, 0x80, 0, 0, 0, 0)], false],
  ] as const) {
    const reader = new FrameReader('server')
    const passed = parts.map((part) => reader.push(part))
    t.equal(!passed.includes(null), isAllowed, name)
    if (isAllowed)
      t.strictSame(Buffer.concat(passed as Buffer[]), Buffer.concat(parts), `${name} passes as it is`)
    const whole = new FrameReader('server').push(Buffer.concat(parts))
    t.strictSame(whole, isAllowed ? Buffer.concat(parts) : null, `${name}, in one piece`)
  }
  t.equal(new FrameReader('client').push(head(0x81, 0)), null, 'a client masks')
  t.end()
})

void t.test('long frames pass whole, with what follows them', (t) => {
  for (const masked of [false, true])
    for (const [length, size] of [
      [300, 2],
      [70_000, 8],
    ] as const) {
      const bare = lengthHead(0x82, BigInt(length), size)
      const mask = masked ? Buffer.alloc(4, 7) : Buffer.alloc(0)
      if (masked) bare[1] = (bare[1] ?? 0) | 0x80
      const one = Buffer.concat([bare, mask, Buffer.alloc(length, 0x83)])
      const all = Buffer.concat([one, one])
      for (const cut of [1, 2, 3, 9, 11, 14, 15, length, all.length]) {
        const reader = new FrameReader(masked ? 'client' : 'server')
        const passed = [reader.push(all.subarray(0, cut)), reader.push(all.subarray(cut))]
        t.notOk(passed.includes(null), `${String(length)} at ${String(cut)}`)
        t.ok(Buffer.concat(passed as Buffer[]).equals(all))
        t.notOk(reader.closed)
      }
    }
  t.end()
})

void t.test('nothing of a head passes before the head is whole, nor a close before its last byte', (t) => {
  const reader = new FrameReader('server')
  t.strictSame(reader.push(head(0x88)), Buffer.alloc(0))
  t.strictSame(reader.push(head(3)), head(0x88, 3))
  t.notOk(reader.closed)
  t.strictSame(reader.push(head(3, 0xe8)), head(3, 0xe8))
  t.notOk(reader.closed, 'a byte is to come')
  t.strictSame(reader.push(head(0x21, 0x81, 0)), head(0x21))
  t.ok(reader.closed)
  t.end()
})
