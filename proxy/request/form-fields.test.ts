import fc from 'fast-check'
import t from 'tap'
import { growth } from '#test/fixtures/growth.js'
import { MultipartReader, UrlencodedReader, type FormReader } from './form-fields.js'

const DISPOSITION_LINE = 'Content-Disposition: form-data; name="x"'

/** Reads a form in pieces. `before` is what had passed when the first method was found. */
function read(reader: FormReader, form: string, size = form.length) {
  const methods: string[] = []
  let [passed, before, unreadable] = ['', '', false]
  for (let at = 0; at <= form.length; at += Math.max(size, 1)) {
    const last = at + Math.max(size, 1) > form.length
    for (const found of [
      reader.push(form.slice(at, at + Math.max(size, 1))),
      ...(last ? [reader.end()] : []),
    ]) {
      if (found.methods.length > 0 && methods.length === 0) before = passed
      methods.push(...found.methods)
      unreadable ||= found.unreadable
      passed += found.text
    }
    if (last || unreadable) break
  }
  return { methods, passed, before, unreadable }
}

const part = (headers: string, value = 'DELETE', end = '\r\n') =>
  `--b${end}${headers}${end}${end}${value}${end}--b--${end}`
const named = (name: string) => `Content-Disposition: form-data; name=${name}`

const URLENCODED = [
  '_method=DELETE',
  'a=b&_method=DELETE&c=d',
  'a=b;_method=DELETE',
  '%5fmethod=DELETE',
  '_METHOD=delete',
  '.method=DELETE',
  '+_method=DELETE',
  '%20%20_method=DELETE',
  `${'+'.repeat(900)}_method=DELETE`,
  '_method%00x=DELETE',
  '_method%00lettersbehindtheendofthename=DELETE',
  '_method[]=DELETE',
  '_method%5Ba%5D=DELETE',
  '[method=DELETE',
  '_method=DELE%54E',
  '_method=DELETE%00x',
  '_method=+DELETE+',
  'X-HTTP-Method-Override=DELETE',
  'x_http_method=DELETE',
  'method=delete',
]

const MULTIPART = [
  part(named('"_method"')),
  part(named('_method')),
  part(named("'_method'")),
  part(named('"_method"').toUpperCase()),
  part(named('"_method"'), 'DELETE', '\n'),
  part(named('"_method"').replace('; ', ';\r\n ')),
  part(named('"_method"').replace('; ', ';\r\n\t')),
  part(`Content-Type: text/plain\r\n${named('"_method"')}`),
  part(`${named('"_method"')}\r\nContent-Type: text/plain`),
  part(named('"_met\\hod"')),
  part(named('"a"; name="_method"')),
  part(named('"_method"; filename="x"')),
  part('Content-Disposition: form-data; filename="x"; name="_method"'),
  part("Content-Disposition: form-data; name*=utf-8''%5Fmethod"),
  part('Content-Disposition: form-data; name*0="_met"; name*1="hod"'),
  part(named('"_method[]"')),
  part(named('".method"')),
  part(named(' = "_method"').replace('name=', 'name')),
  part('content-disposition:form-data;name=_method'),
  part(named('"_method"'), ' delete '),
  `${part(named('"a"'), 'x'.repeat(5_000)).slice(0, -8)}${part(named('"_method"'))}`,
]

const READERS: readonly (readonly [() => FormReader, readonly string[]])[] = [
  [() => new UrlencodedReader(), URLENCODED],
  [() => new MultipartReader(), MULTIPART],
]

void t.test('fields that name a method are found before they pass, however the form is cut', (t) => {
  for (const [make, forms] of READERS) {
    for (const form of forms) {
      for (const size of [form.length, 1, 2, 7, 64]) {
        const { methods, passed, before } = read(make(), form, size)
        t.same(methods, ['DELETE'], `${String(size)}: ${form.slice(0, 200)}`)
        t.equal(passed, form)
        t.notMatch(before, /method.*dele/is)
      }
    }
  }
  t.end()
})

void t.test('and nothing else is', (t) => {
  for (const [make, forms] of [
    [
      () => new UrlencodedReader(),
      [
        'a=_method',
        'a=b&c',
        '',
        '_method',
        '_method=',
        'method=tools/list',
        'my_method_name=x',
        'x[_method]=DELETE',
        '{"_method":"DELETE"}',
        'a%',
      ],
    ],
    [
      () => new MultipartReader(),
      [
        part(named('"file"; filename="_method"'), '<input name="_method" value="DELETE">'),
        part(named('"a"'), '_method=DELETE'),
        part(named('"method"'), 'tools/list'),
        'Content-Dispositio',
        'no form at all',
        '',
        '\r\n\r\n\n\r',
      ],
    ],
  ] as const) {
    for (const form of forms) {
      for (const size of [form.length, 1, 5]) {
        const { methods, passed, unreadable } = read(make(), form, size)
        t.strictSame({ methods, passed, unreadable }, { methods: [], passed: form, unreadable: false }, form)
      }
    }
  }
  t.end()
})

void t.test('what cannot be read within the limits is refused', (t) => {
  t.ok(read(new UrlencodedReader(), `${'+'.repeat(5_000)}_method=DELETE`).unreadable)
  t.ok(read(new MultipartReader(), part(`${named('"x"')}${'; name=x'.repeat(50)}`)).unreadable)
  t.ok(read(new MultipartReader(), part(`${named('"x"')};${' '.repeat(5_000)}name=_method`)).unreadable)
  t.ok(read(new MultipartReader(), part(`${named('_method')}\r\nX: ${'x'.repeat(9_000)}`)).unreadable)
  t.ok(
    read(new MultipartReader(), part(`${named('_method')}\r\nContent-Transfer-Encoding: base64`)).unreadable,
  )
  t.end()
})

void t.test('any bytes pass as they are, unless the form is refused', (t) => {
  const piece = fc.constantFrom(
    'a',
    '=',
    '&',
    '_method',
    'name=',
    'Content-Disposition',
    ': ',
    ';',
    '\r\n',
    '\n',
    ' ',
    '"',
    '%',
    '+',
    'x'.repeat(40),
  )
  for (const [make] of READERS) {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), fc.integer({ min: 1, max: 50 }), (pieces, size) => {
        const form = pieces.join('')
        const { passed, unreadable } = read(make(), form, size)
        return unreadable || passed === form
      }),
      { numRuns: 3_000 },
    )
  }
  t.end()
})

void t.test('no form makes it slow', (t) => {
  for (const [make, units] of [
    [() => new UrlencodedReader(), ['a', '&', '=', '+', '%', '_', '&_method=x', 'a=b;', '&%5B', '&+a']],
    [
      () => new MultipartReader(),
      [
        'a',
        '\n',
        '\r\n',
        ' ',
        '\n\t',
        'c',
        '\nc',
        `\n${DISPOSITION_LINE}`,
        `\n${DISPOSITION_LINE}\n `,
        '\n\tcontent-disposition',
      ],
    ],
  ] as const) {
    for (const unit of units) {
      const run = (length: number) => {
        const form = unit.repeat(Math.ceil(length / unit.length))
        return () => read(make(), form, 65_536)
      }
      const times = growth(run(100_000), run(800_000))
      t.ok(times < 30, `${JSON.stringify(unit)}: ${times.toFixed(1)} times as long for eight times as much`)
    }
  }
  t.end()
})
