import fc from 'fast-check'
import t from 'tap'
import { CLASSES } from './characters.js'
import { Decoder } from './decoder.js'
import { MEMORY } from './prefilter.js'

/** What a decoder made of a text: its output, and where in the text each byte of it and the escape before it are. */
function shown(decoder: Decoder): string {
  const places = Array.from({ length: decoder.length }, (_, at) => [
    decoder.startOf(at),
    decoder.endOf(at),
    decoder.escapeBefore(at),
  ])
  return JSON.stringify([Buffer.from(decoder.out.subarray(0, decoder.length)).toString('latin1'), places])
}

/** As it is decoded for a search, after `mark`. */
function fast(text: Buffer): string {
  const decoder = new Decoder()
  decoder.read(MEMORY.text, MEMORY.decoded, MEMORY.notes, text.length, MEMORY.decode)
  return shown(decoder)
}

/** Byte by byte from each mark on, and copied up to it. */
function slow(text: Buffer, marks: readonly number[]): string {
  const [decoder, out, notes] = [new Decoder(), Buffer.alloc(text.length), new Uint32Array(3 * text.length)]
  decoder.read(text, out, notes, text.length, (_, at) => {
    const to = marks.find((mark) => mark >= at) ?? text.length
    const { noted, length } = decoder
    const goesOn =
      noted > 0 && notes[noted - 1] === 0 && (notes[noted - 2] ?? 0) + length === at + (notes[noted - 3] ?? 0)
    if (to > at && !goesOn) {
      notes.set([length, at, 0], noted)
      decoder.noted += 3
    }
    text.copy(out, length, at, to)
    decoder.length += to - at
    return to
  })
  return shown(decoder)
}

const PARTS = [
  ...[
    '\n',
    '\r\n',
    ' ',
    '\t',
    '\\n',
    '\\r',
    '\\t',
    '\\b',
    '\\"',
    '\\/',
    '\\\\',
    '\\ ',
    '\\x41',
    '\\101',
    '\\q',
  ],
  ...['\\u0041', '\\u000a', '\\u005c', '\\u00e9', '\\ud83d\\ude00', '\\u00'],
  ...['\\u{41}', '\\x{0041}', '\\u{', '}', '\\U00000041', '\\41 ', '\\2d-', '\\31', '\\777'],
  ...['%41', '%0a', '%25', '%u0041', '%', '=3D', '=41', '=\n', '=', '\\\n', '\\'],
  ...['&lt;', '&gt;', '&quot;', '&amp;', '&apos;', '&quo', '&', ';', '&#', '#', '&#x'],
  ...['&#65;', '&#065;', '&#0000065;', '&#x41;', '&#X41;', '&#x041;', '&#300;', '&#38;', '&#x4'],
  ...['a', 'n', 'u', '4', '1', 'x', 'secret', '"', '{', '\xe9', '\0'],
  ...['\n'.repeat(70), ' '.repeat(66), '\\n'.repeat(40)],
]

void t.test('usual escapes and folds are read as all others are', (t) => {
  const text = fc.array(fc.constantFrom(...PARTS), { maxLength: 12 }).map((parts) => parts.join(''))
  fc.assert(
    fc.property(text, fc.nat(CLASSES.length - 1), (latin1, level) => {
      const bytes = Buffer.from(latin1, 'latin1')
      MEMORY.take(bytes)
      const marks = [...MEMORY.places.slice(0, MEMORY.mark(level))]
      return fast(bytes) === slow(bytes, marks)
    }),
    { numRuns: 3_000 },
  )
  t.end()
})

void t.test('an escape that the end of the text cuts off', (t) => {
  const wrong: unknown[] = []
  for (const part of PARTS)
    for (let end = 1; end <= part.length; end += 1) {
      const bytes = Buffer.from(`ab${part.slice(0, end)}`, 'latin1')
      // What was there before must not be read on.
      MEMORY.take(Buffer.alloc(100, '0a;41;quot;'))
      MEMORY.take(bytes)
      const marks = [...MEMORY.places.slice(0, MEMORY.mark(0))]
      if (fast(bytes) !== slow(bytes, marks)) wrong.push(bytes.toString())
    }
  t.strictSame(wrong, [])
  t.end()
})
