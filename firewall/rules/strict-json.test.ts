import fc from 'fast-check'
import t from 'tap'
import { growth } from '#test/fixtures/growth.js'
import { isUnclear, parseStrictJson } from './strict-json.js'

void t.test('what every parser reads as the same is read', (t) => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      const parsed = parseStrictJson(text)
      if ('problem' in parsed) return /control character/.test(parsed.problem)
      return JSON.stringify(parsed.value) === JSON.stringify(JSON.parse(text))
    }),
  )
  for (const text of [
    '{"a":{"a":1},"b":[{"a":1},{"a":2}]}',
    ' [ ] ',
    '"\\"{\\"a\\":1,\\"a\\":2}"',
    '{"a\\\\":1,"a":2}',
    '{"a":"b","b":"a"}',
    `${'['.repeat(64)}${']'.repeat(64)}`,
    `"${'['.repeat(1000)}"`,
  ])
    t.strictSame(parseStrictJson(text), { value: JSON.parse(text) as unknown }, text.slice(0, 40))
  t.end()
})

void t.test('what parsers read differently is not', (t) => {
  for (const [text, problem] of [
    ['{"a":1,"a":2}', 'duplicate JSON key'],
    ['{"a":1,"\\u0061":2}', 'duplicate JSON key'],
    ['{"x":[{"a":1},{"b":1,"b":1}]}', 'duplicate JSON key'],
    ['{"__proto__":1,"__proto__":2}', 'duplicate JSON key'],
    ['{"a\\u0000b":1}', 'control character'],
    ['{"a\\ud800":1}', 'surrogate'],
    [`${'['.repeat(65)}${']'.repeat(65)}`, 'deeper'],
    [`${'{"a":'.repeat(100_000)}1`, 'deeper'],
    ['{"a":1,}', 'malformed'],
    ["{'a':1}", 'malformed'],
    ['{"a":1} {"a":2}', 'malformed'],
    ['{"a":1 /* x */}', 'malformed'],
    ['{"a":NaN}', 'malformed'],
    ['\ufeff{}', 'malformed'],
    ['', 'malformed'],
    ['"', 'malformed'],
  ] as const) {
    const parsed = parseStrictJson(text)
    t.match('problem' in parsed ? parsed.problem : 'none', problem, text.slice(0, 40))
  }
  t.equal(isUnclear('caf\u00e9 \u{1f600}'), false)
  t.end()
})

void t.test('in time linear in the text', (t) => {
  const grows = (work: (size: number) => unknown, size: number, what: string) =>
    t.ok(
      growth(
        () => work(size),
        () => work(8 * size),
      ) < 30,
      what,
    )
  for (const part of ['{"a":"', '\\"', '[[', '"', '\\', '{"a":1,"b":'])
    grows((size) => parseStrictJson(part.repeat(size)), 10_000, part)
  grows((size) => parseStrictJson(`"${'\\'.repeat(size * 2)}"`), 20_000, 'escapes')
  t.end()
})
