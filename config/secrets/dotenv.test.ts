import t from 'tap'
import { parseDotenv } from './dotenv.js'

void t.test('.env: valid lines', (t) => {
  const { values, errors } = parseDotenv(
    `\n# comment\nA=1\n  export B=two # comment\nC='a # "b" $c \\'\nD="x \\"y\\" \\\\"\r\nE=\nF=a=b#c\n`,
  )
  t.same(errors, [])
  t.same(Object.fromEntries(values), {
    A: '1',
    B: 'two',
    C: 'a # "b" $c \\',
    D: 'x "y" \\',
    E: '',
    F: 'a=b#c',
  })
  t.end()
})

void t.test('.env: invalid lines, with their positions', (t) => {
  for (const [text, line, column, problem] of [
    ['A = 1', 1, 1, /expected `NAME=value`/],
    ['A=1\nA=2', 2, 1, /Duplicate variable A/],
    ['A=two words', 1, 3, /not quoted/],
    ["A=it's", 1, 3, /not quoted/],
    ['export A="open', 1, 10, /does not end/],
    ['A="\\n"', 1, 3, /escape/],
    ['A="x"y', 1, 3, /does not end/],
    ['1A=x', 1, 1, /expected `NAME=value`/],
  ] as const) {
    const { errors } = parseDotenv(text)
    t.match(errors, [{ position: { line, column }, problem }], text)
    t.equal(errors.length, 1)
  }
  t.end()
})
