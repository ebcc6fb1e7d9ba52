import fc from 'fast-check'
import t from 'tap'
import type { Headers } from '#firewall/contracts/credential.js'
import { Secret } from '#firewall/secrets/secret.js'
import { NO_TOOLS, outgoingBody, outgoingRequest } from '#test/fixtures/outgoing.js'
import { body, MAX_FIELD_BODY } from './body.js'
import { setJsonField } from './json-field.js'

const TOKEN = 'tok"\\/&=+ \u00e4-0123456789'
const JSON_TYPE = 'application/json'
const FORM = 'application/x-www-form-urlencoded'

async function set(field: string, type: string | null, content: string | Buffer | null, extra: Headers = {}) {
  const credential = body.bind('api/body', {
    field: new Secret('plain text', field, []),
    value: new Secret('T', TOKEN),
  })
  const headers: Headers = {
    host: 'api.example',
    ...(type === null ? {} : { 'content-type': type }),
    ...extra,
  }
  const outgoing = content === null ? null : outgoingBody([Buffer.from(content)], headers)
  const error = await credential.inject(
    outgoingRequest({ method: 'POST', headers, body: outgoing }),
    NO_TOOLS,
  )
  const sent = error === null ? String(await outgoing?.sent()) : ''
  return { error, sent, headers, credential }
}

void t.test('a field of a JSON body', async (t) => {
  const { sent, headers, credential } = await set(
    'token',
    JSON_TYPE,
    '{"id": 12345678901234567890, "token": "placeholder"}',
  )
  t.equal(sent, `{"id": 12345678901234567890, "token": ${JSON.stringify(TOKEN)}}`)
  t.equal(headers['content-length'], String(Buffer.byteLength(sent)))
  t.ok(credential.secretPatterns().bytes.map(String).includes(TOKEN))
  for (const type of ['application/json; charset=UTF-8', 'application/vnd.api+json', ' Application/JSON '])
    t.equal((await set('a.b', type, '{}')).sent, `{"a":{"b":${JSON.stringify(TOKEN)}}}`, type)
})

void t.test('a field of a form', async (t) => {
  const own = `to%20ken=${encodeURIComponent(TOKEN)}`
  t.equal((await set('to ken', FORM, 'a=1&to+ken=x&to%20ken=y&&b')).sent, `a=1&b&${own}`)
  t.equal((await set('to ken', FORM, '')).sent, own)
})

void t.test('bodies in which no field can be set', async (t) => {
  const refused: readonly (readonly [
    type: string | null,
    content: string | Buffer | null,
    extra?: Headers,
  ])[] = [
    ['text/plain', '{}'],
    ['multipart/form-data; boundary=x', '{}'],
    [null, '{}'],
    [JSON_TYPE, null],
    [JSON_TYPE, '[]'],
    [JSON_TYPE, '"x"'],
    [JSON_TYPE, '{'],
    [JSON_TYPE, ''],
    [JSON_TYPE, '{} {}'],
    [JSON_TYPE, '{"auth":{"token":1},"auth":{}}'],
    [JSON_TYPE, '{"auth":{"token":1,"t\\u006fken":2}}'],
    [JSON_TYPE, '{"auth":[]}'],
    [JSON_TYPE, '{"auth":"x"}'],
    [JSON_TYPE, Buffer.from('{"a":"\xff"}', 'latin1')],
    [JSON_TYPE, Buffer.from('\ufeff{}')],
    ['application/json; charset=utf-16', '{}'],
    ['application/json; charset=utf-8; x=y', '{}'],
    [JSON_TYPE, '{}', { 'content-encoding': 'gzip' }],
    [JSON_TYPE, '{}', { 'content-type': [JSON_TYPE, FORM] }],
    [FORM, 'a=%ff&%ff=1'],
  ]
  for (const [type, content, extra] of refused)
    t.match(
      (await set('auth.token', type, content, extra)).error,
      { reason: 'credential-unsupported' },
      `${String(type)} ${String(content)}`,
    )
  const long = `{"a":"${'x'.repeat(MAX_FIELD_BODY)}"}`
  t.match((await set('token', JSON_TYPE, long)).error, { reason: 'too-large' })
  for (const field of ['', '.a', 'a.', 'a..b', 'a b']) t.type(body.check({ field }), 'string', field)
  t.equal(body.check({ field: 'auth.token' }), null)
})

void t.test('setJsonField does what parsing, setting and writing does, and touches nothing else', (t) => {
  const key = fc.constantFrom('a', 'b', '"', '\\', '__proto__', '\u00e4', '{', '}')
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { maxDepth: 3 },
      fc.jsonValue({ maxDepth: 1 }),
      fc.array(tie('any'), { maxLength: 3 }),
      tie('object'),
    ),
    object: fc.uniqueArray(fc.tuple(key, tie('any')), { selector: ([name]) => name, maxLength: 4 }).map(
      // Object.fromEntries makes `__proto__` an ordinary member.
      (members) => Object.fromEntries(members) as unknown,
    ),
  })).object
  const property = fc.property(
    value,
    fc.array(key, { minLength: 1, maxLength: 3 }),
    fc.string(),
    fc.constantFrom(0, 1, '\r\n\t '),
    (object, path, token, space) => {
      const expected = structured(object, path, token)
      const text = setJsonField(JSON.stringify(object, null, space), path, token)
      if (text === null || expected === null) return text === expected
      return JSON.stringify(sorted(JSON.parse(text))) === JSON.stringify(sorted(expected))
    },
  )
  fc.assert(property, { numRuns: 2_000 })
  t.end()
})

/** The same by parsing. Null where the path leads through something else than objects. */
function structured(from: unknown, path: readonly string[], token: string): unknown {
  const [name, ...rest] = path
  if (name === undefined) return token
  if (typeof from !== 'object' || from === null || Array.isArray(from)) return null
  const members = Object.entries(from)
  const present = members.find(([other]) => other === name)
  const inner = structured(present === undefined ? {} : present[1], rest, token)
  if (inner === null) return null
  return Object.fromEntries([...members.filter(([other]) => other !== name), [name, inner]])
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(sorted)
  const members = Object.entries(value).map(([name, inner]) => [name, sorted(inner)] as const)
  return Object.fromEntries(members.sort(([a], [b]) => (a < b ? -1 : 1)))
}
