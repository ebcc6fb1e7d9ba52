import fc from 'fast-check'
import t from 'tap'
import { FrameRedactor } from './frame-redactor.js'

const SECRET = 's3cr3t-t0k3n'
const HEAD = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n'
const bytes = (text: string) => Buffer.from(text, 'latin1')

function frame(opcode: number, final: boolean, payload: string): Buffer {
  const { length } = payload
  const header =
    length < 126
      ? Buffer.of(length)
      : length < 65_536
        ? Buffer.of(126, length >> 8, length & 255)
        : Buffer.concat([
            Buffer.of(127, 0, 0, 0, 0),
            Buffer.of(0, length >> 16, (length >> 8) & 255, length & 255),
          ])
  return Buffer.concat([Buffer.of((final ? 0x80 : 0) | opcode), header, bytes(payload)])
}

function run(whole: Buffer, step: number): { out: string; count: number } {
  const redactor = new FrameRedactor([bytes(SECRET), bytes('dXNlcjpz')])
  const out: Buffer[] = []
  for (let at = 0; at < whole.length; at += step) out.push(redactor.push(whole.subarray(at, at + step)))
  out.push(redactor.flush())
  return { out: Buffer.concat(out).toString('latin1'), count: redactor.count }
}

void t.test('a secret that a frame cuts, or a control frame stands in, is found', (t) => {
  const message = (part: (text: string) => string) => [
    bytes(HEAD.replace('websocket', `websocket\r\nX-A: ${part(SECRET)}`)),
    frame(1, false, `{"a":"${part(SECRET).slice(0, 5)}`),
    frame(9, true, part(SECRET)),
    frame(0, false, part(SECRET).slice(5, 8)),
    frame(0, false, ''),
    frame(0, true, `${part(SECRET).slice(8)}"}`),
    frame(2, true, `${'x'.repeat(70_000)}${part(SECRET)}`),
    frame(1, true, `${part(SECRET)}${'y'.repeat(300)}s3cr3t`),
    frame(8, true, ''),
  ]
  const stars = Buffer.concat(message((text) => '*'.repeat(text.length))).toString('latin1')
  for (const step of [1, 2, 3, 7, 100, 65_536, 1e6]) {
    const { out, count } = run(Buffer.concat(message((text) => text)), step)
    t.ok(out === stars, `in chunks of ${step}`)
    t.equal(count, 5)
  }
  t.end()
})

void t.test('what is held back does not outlive its message', (t) => {
  const redactor = new FrameRedactor([bytes(SECRET)])
  redactor.push(bytes(HEAD))
  t.equal(redactor.push(frame(1, true, 'a s3cr3t')).toString('latin1'), '\x81\x08a s3cr3t')
  t.end()
})

void t.test('what is not frames is searched as bytes', (t) => {
  for (const text of [
    'echo',
    '\xc1\x05',
    '\x81\xff',
    '\x83\x01',
    '\x09\x01',
    '\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff',
  ]) {
    const { out } = run(bytes(`${HEAD}${text}${SECRET}!`), 3)
    t.equal(out, `${HEAD}${text}************!`, JSON.stringify(text))
  }
  t.equal(run(bytes(SECRET), 4).out, '************', 'no head')
  t.end()
})

void t.test('any bytes in any chunks: as many come out, and no secret', (t) => {
  const parts = fc.array(
    fc.oneof(
      fc.constant(bytes(SECRET)),
      fc.uint8Array({ maxLength: 12 }).map((array) => Buffer.from(array)),
      fc
        .tuple(fc.constantFrom(0, 1, 2, 9), fc.boolean(), fc.constantFrom('', 's3cr', '3t-t0k3n', SECRET))
        .map(([opcode, final, payload]) => frame(opcode, final, payload)),
    ),
    { maxLength: 12 },
  )
  fc.assert(
    fc.property(parts, fc.integer({ min: 1, max: 40 }), (list, step) => {
      const whole = Buffer.concat([bytes(HEAD), ...list])
      const { out } = run(whole, step)
      return out.length === whole.length
    }),
    { numRuns: 3_000 },
  )
  t.end()
})
