import t from 'tap'
import { SecretPatterns } from '#firewall/secrets/secret-patterns.js'
import { secretPatternsOf } from '../credentials/shared.js'
import { excerptOf } from './excerpt.js'

const SECRET = 'tok-0123456789abcdef-real'

const show = (text: string, at = 0, patterns = secretPatternsOf(SECRET)) =>
  excerptOf(Buffer.from(text, 'latin1'), at, patterns)

void t.test('what is shown is printable and short', (t) => {
  t.equal(show('220 mail.example ESMTP\r\n', 0, SecretPatterns.NONE), '`220 mail.example ESMTP\\r\\n`')
  t.equal(show('a\\b`c\0d\te\xff\x1b[31m', 0, SecretPatterns.NONE), '`a\\x5cb\\x60c\\0d\\te\\xff\\x1b[31m`')
  t.equal(show(`HTTP/1.1 200 OK\r\nX y: ${'z '.repeat(100)}`, 17), `\`X y: ${'z '.repeat(29)}z\`…`)
  t.end()
})

void t.test('a secret is not, nor what may be a part of one', (t) => {
  const head = 'HTTP/1.1 200 OK\r\n'
  const after = '\r\n\r\nand what follows, words that are none of it.'
  t.equal(
    show(`${head}bad ${SECRET} line${after}`, 17),
    `\`bad ${'*'.repeat(SECRET.length)} line\\r\\n\\r\\nand what follows, words th\`…`,
  )
  for (let cut = 1; cut < SECRET.length; cut += 1) {
    const begun = show(`${head}bad line ${SECRET.slice(0, cut)}`, 17)
    const other = show(`${head}bad line ${'x'.repeat(cut)}`, 17)
    t.equal(begun, other, `cut after ${String(cut)}: the same as for any other token`)
    const within = show(`${head}bad: ${SECRET} line${after}`, head.length + 5 + cut)
    t.match(within, /^`\*+ line/, 'an excerpt that begins within')
  }
  const shouted = show(`${head}${SECRET.toUpperCase()} x: y${after}`, 17)
  t.match(shouted, /^`\*{25} x: y/, 'in capitals')
  const mixed = SECRET.replace('real', 'Real')
  t.equal(show(`${head}${mixed} x: y${after}`, 17), '', 'a name in another letter case')
  t.end()
})
