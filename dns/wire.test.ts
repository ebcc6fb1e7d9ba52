import t from 'tap'
import { opt, query, RD, words } from './fixtures.js'
import { labelsOf, MAX_QUERY, parseQuery } from './wire.js'

void t.test('a plain query', (t) => {
  const bytes = query('Api.GitHub.com', { type: 28, id: 0xbeef })
  t.strictSame(parseQuery(bytes), {
    id: 0xbeef,
    opcode: 0,
    rd: true,
    question: { name: 'api.github.com', type: 28, class: 1, raw: bytes.subarray(12) },
    edns: null,
    error: null,
  })
  t.equal(parseQuery(query('a', { flags: 0 }))?.rd, false)
  t.end()
})

void t.test('the root is a valid name', (t) => {
  const bytes = query('')
  t.equal(bytes.length, 17)
  t.match(parseQuery(bytes), { question: { name: '' }, error: null })
  t.end()
})

void t.test('EDNS', (t) => {
  t.match(parseQuery(query('a.b', { rest: opt({ udpSize: 4096 }) })), {
    edns: { udpSize: 4096 },
    error: null,
  })
  const cookie = Buffer.concat([words(10, 8), Buffer.alloc(8)])
  t.equal(parseQuery(query('a.b', { rest: opt({ options: cookie }) }))?.error, null)
  t.match(parseQuery(query('a.b', { rest: opt({ version: 1 }) })), {
    edns: { udpSize: 1232 },
    error: 'edns-version',
  })
  t.equal(parseQuery(query('a.b', { rest: opt({ version: 255 }) }))?.error, 'edns-version')
  t.end()
})

void t.test('messages that get no answer', (t) => {
  t.equal(parseQuery(Buffer.alloc(0)), null, 'nothing')
  t.equal(parseQuery(query('').subarray(0, 16)), null, 'too short for a question')
  t.equal(parseQuery(query('a', { flags: 0x8000 | RD })), null, 'a response')
  t.equal(parseQuery(query('a', { flags: 0xffff })), null, 'a response of any kind')
  const longest = Buffer.concat([query('a'), Buffer.alloc(MAX_QUERY)])
  t.equal(parseQuery(longest), null, 'over 512 bytes')
  t.not(parseQuery(longest.subarray(0, MAX_QUERY)), null, '512 bytes are accepted')
  t.end()
})

void t.test('malformed', (t) => {
  const label63 = 'a'.repeat(63)
  const plain = query('api.github.com')
  const cases: Record<string, Buffer> = {
    'no question': query('a', { counts: [0, 0, 0, 0] }),
    'two questions': query('a', { counts: [2, 0, 0, 0], rest: query('b').subarray(12) }),
    'all counts 0xFFFF': query('a', { counts: [0xffff, 0xffff, 0xffff, 0xffff] }),
    'an answer': query('a', { counts: [1, 1, 0, 0] }),
    'an authority': query('a', { counts: [1, 0, 1, 0] }),
    'two additional records': query('a', { counts: [1, 0, 0, 2], rest: Buffer.concat([opt(), opt()]) }),
    'additional count without a record': query('a', { counts: [1, 0, 0, 1] }),
    'a record without additional count': query('a', { counts: [1, 0, 0, 0], rest: opt() }),
    'one trailing byte': Buffer.concat([plain, Buffer.of(0)]),
    'one trailing byte after OPT': Buffer.concat([query('a', { rest: opt() }), Buffer.of(0)]),
    'OPT with an owner name': query('a', { rest: Buffer.concat([Buffer.of(1, 97), opt()]) }),
    'OPT with a wrong length': query('a', {
      rest: Buffer.concat([Buffer.of(0), words(41, 1232, 0, 0, 0xffff)]),
    }),
    'an option that overruns': query('a', { rest: opt({ options: words(10, 9) }) }),
    'half an option': query('a', { rest: opt({ options: Buffer.of(0, 10) }) }),
    'TSIG instead of OPT': query('a', { rest: Buffer.concat([Buffer.of(0), words(250, 255, 0, 0, 0)]) }),
    'a name that points at itself': Buffer.concat([words(1, RD, 1, 0, 0, 0, 0xc00c, 1, 1)]),
    'a name that points into the header': Buffer.concat([words(1, RD, 1, 0, 0, 0, 0xc000, 1, 1)]),
    'a label and then a pointer': Buffer.concat([words(1, RD, 1, 0, 0, 0, 0x0161, 0xc00c, 1, 1)]),
    'an extended label type': Buffer.concat([words(1, RD, 1, 0, 0, 0, 0x4161, 0x0000, 1, 1)]),
    'a label of 64 bytes': query(['a'.repeat(64), 'com']),
    'a pointer that looks like a label of 192 bytes': query(['a'.repeat(192), 'com']),
    'a label past the end': Buffer.concat([words(1, RD, 1, 0, 0, 0, 0x3f61, 0, 1)]),
    'a name of 256 bytes': query([label63, label63, label63, 'a'.repeat(62)]),
    'no class': plain.subarray(0, plain.length - 2),
    'no type': plain.subarray(0, plain.length - 4),
    'no end of name': plain.subarray(0, plain.length - 5),
  }
  for (const [what, bytes] of Object.entries(cases))
    t.equal(parseQuery(bytes)?.error, 'malformed-query', what)
  t.equal(parseQuery(query([label63, label63, label63, 'a'.repeat(61)]))?.error, null, '255 bytes are a name')
  t.end()
})

void t.test('a truncated query is never taken for a complete one', (t) => {
  const whole = query('api.github.com', { rest: opt() })
  for (let length = 0; length < whole.length; length++) {
    const parsed = parseQuery(whole.subarray(0, length))
    t.ok(parsed === null || parsed.error === 'malformed-query', `${length} bytes`)
  }
  t.end()
})

void t.test('opcodes other than a query are not read further', (t) => {
  const parsed = parseQuery(query('a', { flags: 5 << 11, counts: [0xffff, 0xffff, 0xffff, 0xffff] }))
  t.match(parsed, { opcode: 5, question: null, error: 'opcode' })
  t.end()
})

void t.test('class', (t) => {
  t.match(parseQuery(query('version.bind', { type: 16, class: 3 })), {
    error: 'class',
    question: { class: 3 },
  })
  t.equal(parseQuery(query('a', { class: 255 }))?.error, 'class')
  t.end()
})

void t.test('bytes that are invalid in a host name', (t) => {
  t.match(parseQuery(query(['api.github', 'com'])), {
    error: 'name-bytes',
    question: { name: 'api\\046github.com' },
  })
  for (const byte of ['\0', ' ', '*', '.', '/', '\\', '@', '[', '`', '{', '\x7f', '\xe4', '\xff']) {
    const parsed = parseQuery(query([`a${byte}b`, 'com']))
    t.equal(parsed?.error, 'name-bytes', JSON.stringify(byte))
    t.match(parsed?.question?.name, /^a\\\d{3}b\.com$/)
    t.strictSame(labelsOf(parsed?.question?.name ?? ''), [`a${byte}b`, 'com'], 'and back')
  }
  t.equal(parseQuery(query('_dmarc.a-b.0'))?.error, null, 'all other bytes are valid')
  t.end()
})
