import t from 'tap'
import { findSecret, receive } from '#test/fixtures/redaction-cases.js'
import { layersOf } from './layers.js'

const read = (text: string) =>
  Array.from(layersOf(Buffer.from(text), Buffer.byteLength(text)), ({ bytes, length }) =>
    Buffer.from(bytes.subarray(0, length)).toString('latin1'),
  )

void t.test('each kind of escape is undone, once, and what that leaves once more', (t) => {
  for (const [text, layers] of [
    ['nothing: 100 % & c:\\dir', []],
    ['%25c8', ['%c8', '\xc8']],
    ['%u0041%zz', ['A%zz']],
    ['\\\\u0041', ['\\u0041', 'A']],
    ['\\x41\\101\\n\\9', ['AA\n\\9']],
    ['\\ud83d\\ude00', ['\xf0\x9f\x98\x80']],
    ['\\u{41}\\u{}\\x{00042}\\U00000043\\U00000', ['A\\u{}BC\\U00000']],
    ['\\41 \\42-\\41f\\9', ['AB-\\41f\\9']],
    ['&amp;#65;', ['&#65;', 'A']],
    ['&#65&#x42;&#;&none;', ['AB&#;&none;']],
    ['=3D41=\r\n.', ['=41.', 'A.']],
    ['&amp;\\u0041', ['&amp;A', '&A', '&\\u0041', '&A']],
  ] as const)
    t.strictSame(read(text), layers, text)
  t.end()
})

void t.test('where each byte of it was', (t) => {
  const text = Buffer.from('a%41b\\u0043=44')
  for (const layer of layersOf(text, text.length))
    for (let index = 0; index < layer.length; index += 1) {
      const part = text.subarray(layer.startOf(index), layer.endOf(index)).toString()
      const byte = String.fromCharCode(layer.bytes[index] ?? 0)
      t.ok(part === byte || /^(%41|\\u0043|=44)$/.test(part), `${byte} is ${part}`)
    }
  t.end()
})

/** Without semicolons; what ends it reads as an escape. */
const HES = '&#72&#101&#115&#92&#37&#108&#80&#78&#125&#94&#84&#95&#119&#72&#87&#69&#34&#113&#62&#106&#61&#92'

void t.test('a secret that reads as escapes, and is escaped', async (t) => {
  for (const [secret, said] of [
    ['  \\   %c8            ', '&#x20;&#x20;\\   %&#x63;8 &#x20;&#x20;  &#x20; &#x20; &#x20; &#x20;'],
    ['c22%84c% =4DD', 'c22%2584c%25+%3D4DD'],
    ['E#HB=BB1A&0F\\', '&#69;&#35;&#72;&#66;&#61;&#66;&#66;&#49;&#65;&#38;&#48;&#70;&#92;'],
    ['DA8&#E;x8CGxG=%% #08G', '&#x44;A8&#x26;#E;x8CG&#x78;G=%% &#x23;08G'],
    ['0D#GnH0#c0F2u HE14EA', '=0D%23GnH0%23c0F2u+HE14EA'],
    ['F DH8x=2&#42', '%46%20%44%48%38%78%3D%32%26%23%34%32'],
    ['Hes\\%lPN}^T_wHWE"q>j=\\', HES],
    ['D;DF4c&AC11\\', '\\u0044;\\u0044F4c\\u0026A\\u0043\\u00311\\\\'],
  ] as const) {
    const body = Buffer.from(`{"said":"${said}"}`)
    const { body: shown, count } = await receive({
      ...{ secrets: [secret], secret, encoding: 'some', plain: body, codings: [], chunks: [body] },
    })
    t.equal(findSecret(shown, secret), null, said)
    t.equal(count, 1, said)
    t.match(shown.toString(), /^\{"said":"=?\*+"\}$/, said)
  }
})

void t.test('a secret of any length, whose first characters are an escape for a reader of all', async (t) => {
  const missed: string[] = []
  for (let length = 8; length < 48; length += 1) {
    const secret = `DB${'+/-kJq7!Zw~s'.repeat(4)}`.slice(0, length)
    // As no usual encoder writes it, so that no form is found as it is.
    const said = secret
      .replace(/[+/~]/g, (one) => `%${one.charCodeAt(0).toString(16)}`)
      .replaceAll('k', '%6b')
    for (let before = 0; before < 20; before += 1)
      for (const first of ['=', '%']) {
        const body = Buffer.from(`${'.'.repeat(before)}${first}${said}"`)
        const one = { secrets: [secret], secret, encoding: 'some', plain: body, codings: [], chunks: [body] }
        const { body: shown } = await receive(one)
        if (findSecret(shown, secret) !== null) missed.push(`${String(length)}: ${body.toString()}`)
      }
  }
  t.strictSame(missed, [])
})
