import t from 'tap'
import { TOKEN_FORMATS } from '../issues/token-formats.js'
import { placeholderFormat } from './placeholder-format.js'

void t.test('placeholders have the format of their issuer and nothing of the value', (t) => {
  const tail = 'Q7zX1vB9'
  for (const row of TOKEN_FORMATS) {
    const format = placeholderFormat(`${row.prefix}${tail.repeat(3)}`)
    t.equal(format.prefix, row.prefix, 'the longest prefix wins')
    t.ok(format.length >= format.prefix.length + 8, row.prefix)
  }
  t.same(
    placeholderFormat('x'.repeat(9)),
    placeholderFormat('y'.repeat(900)),
    'the length of an unknown secret does not show',
  )
  t.same(placeholderFormat('sk-short1'), placeholderFormat('x'.repeat(9)))
  t.end()
})
