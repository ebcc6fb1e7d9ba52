import t from 'tap'
import { parseDotenv } from './dotenv.js'

const values = (text: string) =>
  Object.fromEntries(
    [...parseDotenv(text)].map(([name, { value }]) => [name, typeof value === 'string' ? value : null]),
  )

void t.test('.env: valid lines', (t) => {
  t.same(
    values(
      `\n# comment\nA=1\n  export B=two # comment\nC='a # "b" $c \\'\nD="x \\"y\\" \\\\"\r\nE=\nF=a=b#c\n`,
    ),
    { A: '1', B: 'two', C: 'a # "b" $c \\', D: 'x "y" \\', E: '', F: 'a=b#c' },
  )
  const pem = '-----BEGIN KEY-----\nabc=\n-----END KEY-----'
  t.same(values(`A="${pem}"\nB='${pem}\n' # comment\nC=1\n`), { A: pem, B: `${pem}\n`, C: '1' })
  t.same(values('\uFEFFA=1\n'), { A: '1' })
  t.end()
})

void t.test('.env: a variable that cannot be read, with its position', (t) => {
  for (const [text, line, column, problem] of [
    ['A = 1', 1, 1, /Spaces around/],
    ['A= 1', 1, 1, /Spaces around/],
    ['A=1\nA=2', 2, 1, /Duplicate variable A/],
    ['A=two words', 1, 3, /not quoted/],
    ["A=it's", 1, 3, /not quoted/],
    ['export A="open', 1, 10, /not closed/],
    ['A="\\n"', 1, 3, /escape/],
    ['A="\\\\\\n"', 1, 3, /escape/],
    ['A="x"y', 1, 3, /not closed/],
    ['A=`x`', 1, 3, /backticks/],
  ] as const) {
    const entry = parseDotenv(text).get('A')
    t.match(entry, { position: { line, column }, value: { problem } }, text)
  }
  t.end()
})

void t.test(".env: lines of other frameworks are left out, and hide no other line's variable", (t) => {
  for (const other of [
    'not a line of such a file',
    '1A=x',
    'app.name=demo',
    'my-key: value',
    'MAIL_FROM=Hello World',
    'WIN=C:\\\\tmp',
    'OPEN="never closed',
    "OPEN='never closed",
    'OPEN="closed by another" quote',
    'JSON={"a": [1, 2]}',
    'KEY="-----BEGIN KEY-----\\nabc\\n-----END KEY-----"',
    'KEY="-----BEGIN KEY-----\nnot=a variable\n-----END KEY-----"',
    '[section]',
    'if [ -f x ]; then source x; fi',
    '\x00\x01',
  ])
    t.match(values(`B='before'\n${other}\nA="after"\n`), { A: 'after', B: 'before' }, JSON.stringify(other))
  t.equal(parseDotenv('KEY="a\nnot=b\n"\n').has('not'), false)
  t.end()
})

void t.test('.env: the work is linear, whatever the quotes', (t) => {
  t.equal(parseDotenv('A="\n'.repeat(20_000)).size, 1)
  t.end()
})
