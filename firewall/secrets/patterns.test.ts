import fc from 'fast-check'
import t from 'tap'
import { AhoCorasick } from './aho-corasick.js'
import { SecretPatterns } from './secret-patterns.js'

/** The definition: the longest suffix of the text that begins some pattern, and the longest pattern that ends here. */
function expected(patterns: readonly string[], text: string) {
  const suffixes = Array.from({ length: text.length + 1 }, (_, at) => text.slice(at))
  const depth = suffixes.find((suffix) => patterns.some((pattern) => pattern.startsWith(suffix)))?.length ?? 0
  const pending = (most: number) =>
    suffixes.find(
      (suffix) =>
        suffix.length <= most &&
        patterns.some((pattern) => pattern.startsWith(suffix) && pattern.length > suffix.length),
    )?.length ?? 0
  const ended = patterns.filter((pattern) => text.endsWith(pattern)).sort((a, b) => b.length - a.length)[0]
  return { depth, ended, pending }
}

const word = fc.stringMatching(/^[ab]{1,5}$/)

void t.test('a search of many patterns is a search of each', (t) => {
  fc.assert(
    fc.property(
      fc.uniqueArray(word, { minLength: 1, maxLength: 6 }),
      fc.stringMatching(/^[abc]{0,24}$/),
      (patterns, text) => {
        const search = new AhoCorasick(patterns.map((pattern) => Buffer.from(pattern)))
        let state = 0
        for (let at = 0; at < text.length; at += 1) {
          state = search.next(state, text.charCodeAt(at))
          const { depth, ended, pending } = expected(patterns, text.slice(0, at + 1))
          const output = search.output[state] ?? -1
          if (search.depth[state] !== depth || (output < 0 ? undefined : patterns[output]) !== ended)
            return false
          if (search.pendingLength[state] !== pending(Infinity)) return false
          for (const most of [0, 1, 2, 3, 9])
            if (search.pendingWithin(state, most) !== pending(most)) return false
        }
        return (
          search.longest === Math.max(...patterns.map(({ length }) => length)) &&
          search.shortest === Math.min(...patterns.map(({ length }) => length)) &&
          search.lengths.every((length, index) => length === patterns[index]?.length)
        )
      },
    ),
  )
  t.end()
})

void t.test('all bytes, and patterns of many thousands', (t) => {
  const patterns = Array.from({ length: 300 }, (_, i) =>
    Buffer.from([i & 255, 255 - (i & 255), i >> 3, 7, 0]),
  )
  const search = new AhoCorasick(patterns)
  const missed = patterns.filter((pattern, index) => {
    const state = [9, 9, ...pattern].reduce((from, byte) => search.next(from, byte), 0)
    const found = search.output[state] ?? -1
    return found < 0 || patterns[found]?.equals(patterns[index] ?? Buffer.alloc(0)) !== true
  })
  t.strictSame(missed, [])
  const none = new AhoCorasick([])
  t.strictSame([none.next(0, 97), none.output[0], none.longest], [0, -1, 0])
  t.end()
})

const strings = ({ bytes }: SecretPatterns) => bytes.map((pattern) => pattern.toString('latin1'))
const made = (...texts: readonly string[]) =>
  new SecretPatterns(texts.map((text) => Buffer.from(text, 'latin1')))

void t.test('patterns of several credentials, each with its owner', (t) => {
  const union = SecretPatterns.union([
    ['one', made('a', 'b')],
    ['two', made('c')],
  ])
  t.strictSame(
    [strings(union), union.owners],
    [
      ['a', 'b', 'c'],
      ['one', 'one', 'two'],
    ],
  )
  t.strictSame(made('a').owners, [null], 'of one that does not say')
  t.strictSame(SecretPatterns.NONE.bytes, [])
  t.end()
})

void t.test('these and others, none of them twice', (t) => {
  const own = SecretPatterns.union([['own', made('a', 'b')]])
  const others = SecretPatterns.union([['others', made('b', 'c')]])
  const both = own.plus(others)
  t.strictSame(
    [strings(both), both.owners],
    [
      ['a', 'b', 'c'],
      ['own', 'own', 'others'],
    ],
  )
  t.equal(own.plus(others), both, 'made once')
  t.equal(own.plus(made('b')), own, 'and not at all where nothing is added')
  t.strictSame(strings(own), ['a', 'b'])
  t.end()
})

void t.test('header names have no case', (t) => {
  const patterns = SecretPatterns.union([['own', made('aB\xc4', 'C')]])
  t.strictSame(
    [strings(patterns.folded), patterns.folded.owners],
    [
      ['ab\xe4', 'c'],
      ['own', 'own'],
    ],
  )
  t.equal(patterns.folded, patterns.folded)
  t.end()
})
