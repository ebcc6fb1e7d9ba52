import fc from 'fast-check'
import t from 'tap'
import { SecretPatterns } from '#firewall/secrets/secret-patterns.js'
import { Tally } from './tally.js'
import { FrameRedactor } from './websocket-frames.js'

const SECRET = 's3cr3t-t0k3n-of-the-service'
const PATTERNS = new SecretPatterns([Buffer.from(SECRET), Buffer.from('e')])

/** A frame as a server sends it. */
function frame(opcode: number, payload: Buffer, { final = true, wide = false } = {}): Buffer {
  const size = payload.length
  const long = size > 65_535 || wide
  const head = Buffer.alloc(long ? 10 : size > 125 ? 4 : 2)
  head[0] = (final ? 0x80 : 0) | opcode
  head[1] = long ? 127 : size > 125 ? 126 : size
  if (long) head.writeBigUInt64BE(BigInt(size), 2)
  else if (size > 125) head.writeUInt16BE(size, 2)
  return Buffer.concat([head, payload])
}

function pushAll(chunks: readonly Buffer[], secretPatterns = PATTERNS): Buffer | null {
  const redactor = new FrameRedactor(() => secretPatterns, new Tally())
  const out = chunks.map((chunk) => redactor.push(chunk))
  return out.some((part) => part === null) ? null : Buffer.concat(out.filter((part) => part !== null))
}

const bytewise = (whole: Buffer) => Array.from(whole, (byte) => Buffer.of(byte))

void t.test('a message is searched as one, however it is cut into frames', (t) => {
  for (let at = 0; at <= SECRET.length; at += 1) {
    const whole = Buffer.concat([
      frame(1, Buffer.from(`x ${SECRET.slice(0, at)}`), { final: false }),
      frame(9, Buffer.from('ping')),
      frame(0, Buffer.alloc(0), { final: false }),
      frame(0, Buffer.from(`${SECRET.slice(at)} y`)),
    ])
    for (const chunks of [[whole], bytewise(whole)]) {
      const out = pushAll(chunks, new SecretPatterns([Buffer.from(SECRET)])) ?? Buffer.alloc(0)
      const expected = Buffer.concat([
        frame(1, Buffer.from(`x ${'*'.repeat(at)}`), { final: false }),
        frame(9, Buffer.from('ping')),
        frame(0, Buffer.alloc(0), { final: false }),
        frame(0, Buffer.from(`${'*'.repeat(SECRET.length - at)} y`)),
      ])
      if (!out.equals(expected)) t.fail(`cut at ${String(at)}: ${out.toString('latin1')}`)
    }
  }
  t.end()
})

void t.test('control frames are searched, each for itself', (t) => {
  const whole = Buffer.concat([
    frame(9, Buffer.from(SECRET)),
    frame(8, Buffer.from(`\x03\xe8${SECRET}`, 'latin1')),
  ])
  const stars = Buffer.from('*'.repeat(SECRET.length))
  const expected = Buffer.concat([frame(9, stars), frame(8, Buffer.concat([Buffer.from([3, 0xe8]), stars]))])
  t.ok(pushAll(bytewise(whole), new SecretPatterns([Buffer.from(SECRET)]))?.equals(expected))
  t.end()
})

const payloads = fc.oneof(
  fc
    .constantFrom(SECRET, SECRET.slice(0, 9), SECRET.slice(9), 'e', 'the', '')
    .map((text) => Buffer.from(text)),
  fc.integer({ min: 100, max: 70_000 }).map((size) => Buffer.alloc(size, 'x')),
)
const messages = fc.array(
  fc.record({
    opcode: fc.constantFrom(1, 2),
    parts: fc.array(payloads, { minLength: 1, maxLength: 4 }),
    ping: fc.boolean(),
    wide: fc.boolean(),
  }),
  { minLength: 1, maxLength: 4 },
)

void t.test(
  'any messages, any chunks: the frames stay, the secret goes, and no message waits for the next',
  (t) => {
    fc.assert(
      fc.property(messages, fc.array(fc.nat(), { maxLength: 8 }), (list, places) => {
        const redactor = new FrameRedactor(() => PATTERNS, new Tally())
        for (const { opcode, parts, ping, wide } of list) {
          const frames = parts.flatMap((part, i) => [
            frame(i === 0 ? opcode : 0, part, { final: i === parts.length - 1, wide }),
            ...(ping && i < parts.length - 1 ? [frame(9, Buffer.from('now'))] : []),
          ])
          const whole = Buffer.concat(frames)
          const cuts = [...new Set(places.map((place) => place % whole.length))].sort((a, b) => a - b)
          const out = [0, ...cuts].map((from, i) =>
            redactor.push(whole.subarray(from, cuts[i] ?? whole.length)),
          )
          const got = Buffer.concat(out.filter((part) => part !== null))
          if (got.length !== whole.length) return false
          let at = 0
          let said = ''
          for (const one of frames) {
            const piece = got.subarray(at, at + one.length)
            const head = one.length - (one.length > 65_545 || wide ? 10 : one.length > 129 ? 4 : 2)
            const isPing = one[0] === 0x89
            const size = isPing ? 2 : one.length - head
            if (!piece.subarray(0, size).equals(one.subarray(0, size))) return false
            if (!isPing) said += piece.subarray(size).toString('latin1')
            at += one.length
          }
          const text = Buffer.concat(parts).toString('latin1')
          if (said !== text.replaceAll(SECRET, '*'.repeat(SECRET.length)).replaceAll('e', '*')) return false
        }
        return true
      }),
      { numRuns: 500 },
    )
    t.end()
  },
)

void t.test('what is no frame of a server', (t) => {
  const text = Buffer.from('hello')
  const masked = Buffer.from([0x81, 0x80, 1, 2, 3, 4])
  for (const [name, bytes] of Object.entries({
    'compressed, without an extension': frame(0x41, text),
    'reserved bits': frame(0x21, text),
    'an unknown opcode': frame(3, text),
    'an unknown control frame': frame(11, text),
    'a mask': masked,
    'a long control frame': frame(9, Buffer.alloc(126)),
    'a control frame in parts': frame(9, text, { final: false }),
    'a continuation of nothing': frame(0, text),
    'a message within a message': Buffer.concat([frame(1, text, { final: false }), frame(1, text)]),
    'a length over 2^53': Buffer.from([0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0]),
  })) {
    t.equal(pushAll([bytes]), null, name)
    t.equal(pushAll(bytewise(bytes)), null, `${name}, byte by byte`)
  }
  const pings = Array.from({ length: 1_000 }, () => frame(9, Buffer.alloc(125)))
  t.equal(
    pushAll([frame(1, Buffer.from('s3cr3t'), { final: false }), ...pings]),
    null,
    'a flood in a held message',
  )
  t.ok(pushAll([frame(1, Buffer.from('hello '), { final: false }), ...pings]), 'and where nothing is held')
  t.end()
})
