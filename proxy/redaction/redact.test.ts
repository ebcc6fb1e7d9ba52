import fc from 'fast-check'
import t from 'tap'
import { SecretPatterns } from '#firewall/secrets/secret-patterns.js'
import { growth } from '#test/fixtures/growth.js'
import { ENCODINGS, findSecret } from '#test/fixtures/redaction-cases.js'
import { encodedForms } from './encoded-forms.js'
import { redactHeaders } from './redact-headers.js'
import { Redactor, redactText } from './redact.js'
import { Tally } from './tally.js'

/** Bytes that are searched at once. */
const WINDOW = 2 ** 15

const bytes = (text: string) => Buffer.from(text, 'latin1')

/** The bytes out, chunk by chunk; the last one is what came at the end. */
function run(secretPatterns: readonly Buffer[], chunks: readonly Buffer[]): { out: Buffer[]; count: number } {
  const tally = new Tally()
  const redactor = new Redactor(new SecretPatterns(secretPatterns), tally)
  const out = chunks.map((chunk) => Buffer.from(redactor.push(chunk)))
  out.push(Buffer.from(redactor.flush()))
  return { out, count: tally.total }
}

/** On the whole text at once: every byte of every occurrence is a star, also where they overlap. */
function oracle(secretPatterns: readonly Buffer[], whole: Buffer): Buffer {
  const result = Buffer.from(whole)
  for (const pattern of secretPatterns) {
    for (let at = 0; at + pattern.length <= whole.length; at += 1) {
      if (whole.subarray(at, at + pattern.length).equals(pattern)) result.fill('*', at, at + pattern.length)
    }
  }
  return result
}

function cut(whole: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [...new Set(places.map((place) => place % (whole.length + 1)))].sort((a, b) => a - b)
  return [0, ...sorted].map((from, i) => whole.subarray(from, sorted[i] ?? whole.length))
}

void t.test('a secret is found wherever it stands in a chunk longer than what is searched at once', (t) => {
  const secret = 'correct-horse-battery'
  const wrong: unknown[] = []
  for (const form of [secret, 'correct%2Dhorse%2dbattery', 'correct-ho\r\nrse-batt\nery'])
    for (let before = WINDOW - 40; before < WINDOW + 20; before += 1) {
      const text = `${'.'.repeat(before)}${form}${'.'.repeat(30)}`
      const { out } = run([bytes(secret)], [bytes(text)])
      const expected = text.replace(form, '*'.repeat(form.length))
      const found = Buffer.concat(out).toString('latin1')
      if (found !== expected) wrong.push({ form, before, found })
    }
  t.strictSame(wrong, [])
  t.end()
})

void t.test('line breaks without end are neither held back nor searched again and again', (t) => {
  const secret = 'correct-horse-battery'
  for (const lineBreak of ['\n', '\r\n', '\\n', '%0a', '&#10;', '\\u000a'])
    for (const pattern of [secret, `${secret}\n\n\n\nstaple`]) {
      const chunks = [secret.slice(0, -4), lineBreak.repeat(2 ** 16), secret].map(bytes)
      const { out } = run([bytes(pattern)], chunks)
      t.ok((out[1] ?? '').length > 2 ** 16 - 1_000, JSON.stringify(lineBreak))
      t.equal(Buffer.concat(out).length, Buffer.concat(chunks).length)
    }
  const few = `${secret.slice(0, 9)}${'\n'.repeat(60)}${secret.slice(9)}`
  t.equal(Buffer.concat(run([bytes(secret)], [bytes(few)]).out).toString(), '*'.repeat(few.length))
  t.end()
})

void t.test('stars, as many as the secret is long', (t) => {
  for (const [pattern, text, expected] of [
    ['secret', 'a secret here', 'a ****** here'],
    ['secret', 'secret', '******'],
    ['secret', 'secretsecret', '************'],
    ['secret', 'secre', 'secre'],
    ['secret', 'Secret', 'Secret'],
    ['secret', '', ''],
    ['aba', 'xababay', 'x*****y'],
    ['aa', 'aaa', '***'],
    ['a\xe4', 'b a\xe4', 'b **'],
    ['\0\n', 'x\0\n', 'x**'],
  ] as const) {
    const { out } = run([bytes(pattern)], [bytes(text)])
    t.equal(Buffer.concat(out).toString('latin1'), expected, JSON.stringify([pattern, text]))
  }
  t.end()
})

void t.test('secrets that overlap, or are part of one another, go whole', (t) => {
  for (const [secretPatterns, text, expected] of [
    [['abcd', 'cdef'], 'xabcdefx', 'x******x'],
    [['cdef', 'abcd'], 'xabcdefx', 'x******x'],
    [['token', 'token-long'], 'a token-long b', 'a ********** b'],
    [['token-long', 'token'], 'a token-long b token', 'a ********** b *****'],
    [['bc', 'abcd'], 'abcd abc', '**** a**'],
  ] as const) {
    const list = secretPatterns.map(bytes)
    const splits = Array.from({ length: text.length + 1 }, (_, at) => {
      const { out } = run(list, [bytes(text.slice(0, at)), bytes(text.slice(at))])
      return { at, found: Buffer.concat(out).toString('latin1') }
    })
    const wrong = splits.filter(({ found }) => found !== expected)
    t.strictSame(wrong, [], secretPatterns.join(' '))
  }
  t.end()
})

const small = fc.stringMatching(/^[ab]{1,6}$/)
/** Short ones, which are looked for byte by byte, and long ones, to which the scanner skips. */
const patternLists = fc.oneof(
  fc.array(fc.oneof(small, fc.stringMatching(/^[abc-]{3,12}$/)).map(bytes), { minLength: 1, maxLength: 4 }),
  fc.array(fc.stringMatching(/^[abc-]{8,20}$/).map(bytes), { minLength: 1, maxLength: 4 }),
)
const pieces = fc.array(fc.oneof(small, fc.constantFrom('-', 'c', 'data: ', ' ', '\xff\x00')).map(bytes), {
  maxLength: 20,
})

void t.test('any secrets, any bytes, any chunks: as on the whole at once', (t) => {
  let found = 0
  fc.assert(
    fc.property(
      patternLists,
      pieces,
      fc.array(fc.nat(), { maxLength: 12 }),
      fc.array(fc.nat(9)),
      (secretPatterns, rest, places, where) => {
        const parts = [...rest]
        for (const index of where)
          parts.splice(
            index % (parts.length + 1),
            0,
            secretPatterns[index % secretPatterns.length] ?? Buffer.alloc(0),
          )
        const whole = Buffer.concat(parts)
        const { out, count } = run(secretPatterns, cut(whole, places))
        const result = Buffer.concat(out)
        found += count
        return (
          result.length === whole.length &&
          secretPatterns.every((pattern) => !result.includes(pattern)) &&
          result.equals(oracle(secretPatterns, whole)) &&
          count > 0 === !result.equals(whole)
        )
      },
    ),
    { numRuns: 10_000 },
  )
  t.ok(found > 1_000, `${found} secrets were found`)
  t.end()
})

void t.test('at every split, in one byte at a time, at both ends', (t) => {
  const pattern = bytes('s3cr3t-t0k3n-s3cr3t')
  const whole = Buffer.concat([pattern, bytes('{"a":"'), pattern, bytes('"}'), pattern])
  const expected = oracle([pattern], whole)
  for (let at = 0; at <= whole.length; at += 1) {
    const { out, count } = run([pattern], [whole.subarray(0, at), whole.subarray(at)])
    if (!Buffer.concat(out).equals(expected) || count !== 3) t.fail(`split at ${at}`)
  }
  const single = run(
    [pattern],
    [...whole].map((byte) => Buffer.of(byte)),
  )
  t.ok(Buffer.concat(single.out).equals(expected))
  t.equal(single.count, 3)
  t.end()
})

void t.test('a secret whose end looks like the beginning of an escape, at the end of a text', (t) => {
  for (const [secret, text] of [
    ['a"cdefgh&', 'a&quot;cdefgh&'],
    ['abcdefgh%', '%61bcdefgh%'],
    ['abcdefgh%4', '%61bcdefgh%4'],
    ['a/cdefgh\\', 'a\\/cdefgh\\'],
    ['a/cdefgh\\u00', 'a\\/cdefgh\\u00'],
  ] as const) {
    const expected = '*'.repeat(text.length)
    for (const chunks of [[text], Array.from(text)]) {
      const { out, count } = run([bytes(secret)], chunks.map(bytes))
      t.equal(Buffer.concat(out).toString(), expected, text)
      t.equal(count, 1)
    }
    t.strictSame(
      { ...redactHeaders({ a: text }, new SecretPatterns([bytes(secret)]), new Tally()) },
      { a: expected },
    )
  }
  t.end()
})

void t.test('what begins behind a line break is held back whatever stands before it', (t) => {
  for (const [secret, first, second, passed] of [
    ['aaaaaab/secret-token', 'dataa\n\\u0061aaaa', 'ab/secret-token', 'dataa\n'],
    ['ssh-AAAA-secret', 'class\n\\u0073', '\\u0073h-AAAA-secret', 'class\n'],
  ] as const) {
    const { out } = run([bytes(secret)], [bytes(first), bytes(second)])
    t.ok(passed.startsWith(out[0]?.toString() ?? ''), first)
  }
  t.end()
})

void t.test('an event stream flows at once', (t) => {
  const redactor = new Redactor(
    new SecretPatterns([bytes('s3cr3t-t0k3n'), bytes('dXNlcjpzM2NyM3Q=')]),
    new Tally(),
  )
  for (let i = 0; i < 100; i += 1) {
    const event = bytes(`event: delta\ndata: {"text":"word ${i} s3cr3t"}\n\n`)
    t.ok(redactor.push(event).equals(event), 'the whole event, before the next one came')
  }
  t.equal(redactor.flush().length, 0)
  t.end()
})

void t.test('a log flows although the gateway has a private key, and the key is replaced', (t) => {
  const lines = Array.from({ length: 20 }, (_, i) =>
    `${String(i * i * 7919).padEnd(60, 'kEy/+')}zz==`.slice(0, 64),
  )
  const key = `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`
  for (const value of [
    key,
    `${key}-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUX\n-----END CERTIFICATE-----\n`,
  ]) {
    const redactor = new Redactor(new SecretPatterns(encodedForms(value)), new Tally())
    let [passed, sent] = [0, 0]
    for (let i = 0; i < 100; i += 1) {
      const line = bytes(`2026-01-01 INFO job ${String(i)} finished in 3 ms\n`)
      passed += redactor.push(line).length + redactor.idle().length
      sent += line.length
    }
    t.equal(passed, sent, 'each line, before the next one came')
    for (const said of [value, JSON.stringify(value), value.replaceAll('\n', '\r\n'), lines.join('')]) {
      const out = run(encodedForms(value), [bytes(said)]).out.join('')
      t.notOk(
        lines.some((line) => out.includes(line)),
        said.slice(0, 80),
      )
    }
  }
  t.end()
})

void t.test('nothing is copied, and nobody else changed, where there is nothing to replace', (t) => {
  const chunk = bytes('a secret here')
  t.equal(new Redactor(SecretPatterns.NONE, new Tally()).push(chunk), chunk)
  t.equal(run([bytes('nothing')], [chunk]).count, 0)
  run([bytes('secret')], [chunk])
  t.equal(chunk.toString(), 'a secret here', 'the chunk belongs to whoever sent it')
  t.end()
})

void t.test('a stream made to be slow', (t) => {
  const search = (length: number) => () => {
    const pattern = bytes(`${'a'.repeat(length)}b`)
    const { out } = run(
      [pattern, bytes('a'.repeat(length / 2))],
      Array.from({ length: 8 }, () => bytes('a'.repeat(16_384))),
    )
    return Buffer.concat(out).length
  }
  t.equal(search(200)(), 8 * 16_384)
  const times = growth(search(50), search(400))
  t.ok(times < 30, `${times.toFixed(1)} times as long for a secret that is eight times as long`)
  t.end()
})

void t.test('texts and headers', (t) => {
  const secretPatterns = new SecretPatterns([bytes('s3cr3t-t0k3n')])
  const tally = new Tally()
  t.equal(redactText('a s3cr3t-t0k3n b', secretPatterns, tally), 'a ************ b')
  t.equal(redactText('\xe4 s3cr3t', secretPatterns, tally), '\xe4 s3cr3t')
  t.equal(tally.total, 1)
  const headers = redactHeaders(
    {
      location: 'https://x/?t=s3cr3t-t0k3n&u=s3cr3t%2Dt0k3n',
      'set-cookie': ['a=s3cr3t-t0k3n', 'b=1'],
      'x-s3cr3t-t0k3n-x': '1',
      'x-plain': 's3cr3t',
    },
    secretPatterns,
    tally,
  )
  t.strictSame(Object.entries(headers), [
    ['location', 'https://x/?t=************&u=**************'],
    ['set-cookie', ['a=************', 'b=1']],
    ['x-plain', 's3cr3t'],
  ])
  t.equal(tally.total, 5)
  const upper = redactHeaders({ 'x-s3cr3t-t0k3n': 'a' }, new SecretPatterns([bytes('S3CR3T-T0K3N')]), tally)
  t.strictSame(Object.keys(upper), [], 'header names have no case')
  const plain = { a: 'b', c: ['d', 'e'] }
  t.equal(redactHeaders(plain, SecretPatterns.NONE, tally), plain)
  t.equal(redactHeaders(plain, secretPatterns, tally), plain)
  t.end()
})

void t.test('what was taken out is counted by credential, an overlap once', (t) => {
  const tally = new Tally()
  const secretPatterns = SecretPatterns.union([
    ['jira/bearer', new SecretPatterns([bytes('s3cr3t-t0k3n')])],
    ['ci/basic', new SecretPatterns([bytes('t0k3n-of-ci-'), bytes('another-one')])],
  ])
  const redactor = new Redactor(secretPatterns, tally)
  redactor.push(bytes('s3cr3t-t0k3n s3cr3t-t0k3n-of-ci- another-one another-one'))
  redactor.flush()
  t.strictSame(Object.fromEntries(tally.byOwner), { 'jira/bearer': 2, 'ci/basic': 2 })
  t.end()
})

void t.test('what the common encoders make of a secret is found', (t) => {
  const secret = `p+/=&<>'"\`~!*():@$, ;é€😀`
  for (const [encoder, form] of [
    ['JavaScript', encodeURIComponent(secret)],
    ['JavaScript', encodeURI(secret)],
    ['JavaScript', new URLSearchParams({ a: secret }).toString().slice(2)],
    ['JavaScript', JSON.stringify(secret).slice(1, -1)],
    ['Python quote', 'p%2B/%3D%26%3C%3E%27%22%60~%21%2A%28%29%3A%40%24%2C%20%3B%C3%A9%E2%82%AC%F0%9F%98%80'],
    ['Python json', `p+/=&<>'\\"\`~!*():@$, ;\\u00e9\\u20ac\\ud83d\\ude00`],
    ['Python html', 'p+/=&amp;&lt;&gt;&#x27;&quot;`~!*():@$, ;é€😀'],
    ['PHP json', `p+\\/=&<>'\\"\`~!*():@$, ;\\u00e9\\u20ac\\ud83d\\ude00`],
    ['Go json', `p+/=\\u0026\\u003c\\u003e'\\"\`~!*():@$, ;é€😀`],
    ['Go html', 'p&#43;/=&amp;&lt;&gt;&#39;&#34;`~!*():@$, ;é€😀'],
    ['Go PathEscape', 'p+%2F=&%3C%3E%27%22%60~%21%2A%28%29:@$%2C%20%3B%C3%A9%E2%82%AC%F0%9F%98%80'],
    ['Gson', `p+/\\u003d\\u0026\\u003c\\u003e\\u0027\\"\`~!*():@$, ;é€😀`],
    ['.NET', 'p\\u002B/=\\u0026\\u003C\\u003E\\u0027\\u0022\\u0060~!*():@$, ;\\u00E9\\u20AC\\uD83D\\uDE00'],
    ['Mustache', 'p+&#x2F;&#x3D;&amp;&lt;&gt;&#39;&quot;&#x60;~!*():@$, ;é€😀'],
  ] as const)
    t.equal(
      run(encodedForms(secret), [Buffer.from(form)]).out.join(''),
      '*'.repeat(Buffer.byteLength(form)),
      `${encoder}: ${form}`,
    )
  t.equal(encodedForms('ghp_abcdefghijkl0123456789').length, 21, 'a token of letters and digits has few')
  t.end()
})

void t.test(
  'a secret that becomes known in the middle is found from there on, also one that had begun',
  (t) => {
    const words = (letters: string) =>
      fc.string({ unit: fc.constantFrom(...Array.from(letters)), minLength: 5, maxLength: 9 })
    const piece = fc.constantFrom('old', 'new', 'text')
    fc.assert(
      fc.property(
        words('ab'),
        words('xy'),
        fc.array(
          fc.tuple(piece, fc.string({ unit: fc.constantFrom('a', 'b', 'x', 'y', '-'), maxLength: 9 })),
        ),
        fc.array(fc.nat(400), { maxLength: 12 }),
        fc.nat(12),
        (old, fresh, pieces, places, turn) => {
          const texts = { old, new: fresh, text: '' }
          const whole = bytes(pieces.map(([kind, rest]) => texts[kind as 'old'] + rest).join(''))
          const chunks = cut(whole, places)
          const tally = new Tally()
          let inForce = new SecretPatterns([bytes(old)])
          const redactor = new Redactor(() => inForce, tally)
          const out: Buffer[] = []
          let passed = whole.length
          for (const [index, chunk] of chunks.entries()) {
            if (index === turn) {
              passed = out.reduce((sum, { length }) => sum + length, 0)
              inForce = inForce.plus(new SecretPatterns([bytes(fresh)]))
            }
            out.push(Buffer.from(redactor.push(chunk)))
          }
          out.push(redactor.flush())
          const expected = oracle([bytes(old)], whole)
          const found = oracle([bytes(fresh)], whole)
          for (let at = 0; at + fresh.length <= whole.length; at += 1) {
            const isSecret = whole.subarray(at, at + fresh.length).equals(bytes(fresh))
            const from = Math.max(at, passed)
            const end = at + fresh.length
            if (isSecret && end > passed) found.copy(expected, from, from, end)
          }
          return Buffer.concat(out).equals(expected)
        },
      ),
      { numRuns: 300 },
    )
    t.end()
  },
)

void t.test('base64 of a secret and its neighbours shows the same for any two secrets of a length', (t) => {
  const secrets = ['ghp_abcdefghijkl0123456789', '~hp_abcdefghijkl012345678z'] as const
  for (const before of ['', 'u:', 'me:', 'you:'])
    for (const after of ['', '\n', '"}', '"}\n'])
      for (const coding of ['base64', 'base64url'] as const)
        for (const size of [1, 1_000]) {
          const [first, second] = secrets.map((secret) => {
            const text = Buffer.from(before + secret + after).toString(coding)
            const pieces = text.match(new RegExp(`.{1,${String(size)}}`, 'g')) ?? []
            return run(
              encodedForms(secret),
              pieces.map((piece) => Buffer.from(piece)),
            ).out.join('')
          })
          t.equal(first, second, `${before}…${after} in ${coding}`)
        }
  t.end()
})

void t.test('a secret in any encoding is found wherever a chunk ends, and what is almost one stays', (t) => {
  const secret = "Zq7a+B3/xY9k='Lm&o_01"
  const almost = "Zq7a+B3/xY9k='Lm&o_0l"
  const patterns = encodedForms(secret)
  const missed: string[] = []
  for (const [name, encode] of Object.entries(ENCODINGS)) {
    const [said, other] = [secret, almost].map((text) => {
      const one = encode(text, () => 0.25)
      return bytes(`{"said":"${one}"}\n`)
    }) as [Buffer, Buffer]
    for (let at = 0; at <= said.length; at += 1) {
      const { out } = run(patterns, [said.subarray(0, at), said.subarray(at)])
      if (findSecret(Buffer.concat(out), secret) !== null) missed.push(`${name}, cut at ${String(at)}`)
    }
    if (!Buffer.concat(run(patterns, [other]).out).equals(other)) missed.push(`${name}: something else`)
  }
  t.strictSame(missed, [])
  t.end()
})

void t.test('what was sent in another encoding is found in base64 and hexadecimal of that', (t) => {
  const secret = 'pa\'ss"wo/rd+9=x7kQ2'
  const sent = [encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)]
  const texts = [
    ...sent.flatMap((text) =>
      ['', 'a', 'ab'].map((before) => Buffer.from(`${before}${text}`).toString('base64')),
    ),
    ...sent.map((text) => Buffer.from(text).toString('hex')),
    ...sent.map((text) => Buffer.from(text, 'utf16le').toString('latin1')),
    `'${secret.replaceAll("'", "''")}'`,
    `"${secret.replaceAll('"', '""')}"`,
  ]
  for (const text of texts)
    t.match(run(encodedForms(secret), [Buffer.from(text, 'latin1')]).out.join(''), /\*{18}/, text)
  t.equal(run(encodedForms(secret), [Buffer.from('cGFzcw==')]).out.join(''), 'cGFzcw==', 'and nothing else')
  t.end()
})
