import t from 'tap'
import { findPlaceholders, type PlaceholderInput } from './placeholders.js'

const JIRA = 'Yx7mQ2pLk9vRt4sWnB3cZd8fGh1jUa5e'
const GITHUB = 'ghp_0123456789abcdefghijABCDEFGHIJ012345'
const AWS = 'AKIAABCDEFGHIJKLMNOP'

function find(parts: Partial<PlaceholderInput>) {
  return findPlaceholders({
    headers: {},
    path: '/',
    query: '',
    placeholders: new Map([
      ['JIRA_TOKEN', JIRA],
      ['GITHUB_TOKEN', GITHUB],
      ['AWS_ACCESS_KEY_ID', AWS],
      ['PIN', 'abc'],
      ['NOTHING', ''],
    ]),
    own: ['JIRA_TOKEN'],
    locations: { headers: ['authorization'] },
    ...parts,
  })
}

const basic = (user: string, password: string) =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`

void t.test('in its own location it is where it belongs', (t) => {
  const fine = { misplaced: null, inLocation: true }
  t.same(find({ headers: { authorization: `Bearer ${JIRA}` } }), fine)
  t.same(find({ headers: { authorization: basic('me', JIRA) } }), fine)
  t.same(find({ headers: { cookie: `a=b; sid=${JIRA}` }, locations: { cookies: ['sid'] } }), fine)
  t.same(find({ query: `?q=1&key=${JIRA}`, locations: { query: ['key'] } }), fine)
  t.same(find({ path: `/hook/${JIRA}`, locations: { path: true } }), fine)
  t.same(
    find({
      query: `?X-Amz-Credential=${AWS}%2F20260101%2Fs3`,
      own: ['AWS_ACCESS_KEY_ID'],
      locations: { query: ['X-Amz-Credential'] },
    }),
    fine,
  )
  t.end()
})

void t.test('anywhere else it is misplaced', (t) => {
  const rows: [Partial<PlaceholderInput>, string, string][] = [
    [{ headers: { 'x-note': `my ${JIRA}!` } }, 'JIRA_TOKEN', 'header x-note'],
    [{ headers: { 'x-note': ['a', JIRA] } }, 'JIRA_TOKEN', 'header x-note'],
    [{ headers: { 'x-auth': basic('me', JIRA) } }, 'JIRA_TOKEN', 'header x-auth'],
    [{ headers: { cookie: `a=${JIRA}; sid=1` }, locations: { cookies: ['sid'] } }, 'JIRA_TOKEN', 'cookie a'],
    [{ query: `?q=${JIRA}` }, 'JIRA_TOKEN', 'parameter q'],
    [{ query: `?q=%59${JIRA.slice(1)}` }, 'JIRA_TOKEN', 'parameter q'],
    [{ path: `/a/${JIRA}/b` }, 'JIRA_TOKEN', 'the path'],
    // Of another service, even in the location.
    [{ headers: { authorization: `token ${GITHUB}` } }, 'GITHUB_TOKEN', 'header authorization'],
    [{ headers: { authorization: basic('x-access-token', GITHUB) } }, 'GITHUB_TOKEN', 'header authorization'],
    [
      { headers: { authorization: `AWS4-HMAC-SHA256 Credential=${AWS}/20260101/eu/s3/aws4_request` } },
      'AWS_ACCESS_KEY_ID',
      'header authorization',
    ],
    [
      { query: `?X-Amz-Credential=${AWS}%2F20260101%2Fs3` },
      'AWS_ACCESS_KEY_ID',
      'parameter X-Amz-Credential',
    ],
    // No credential here at all.
    [
      { headers: { authorization: `Bearer ${JIRA}` }, own: [], locations: {} },
      'JIRA_TOKEN',
      'header authorization',
    ],
  ]
  for (const [parts, secret, place] of rows) t.same(find(parts).misplaced, { secret, place }, place)
  t.end()
})

void t.test('both at once', (t) => {
  const found = find({ headers: { authorization: `Bearer ${JIRA}` }, query: `?copy=${JIRA}` })
  t.same(found, { misplaced: { secret: 'JIRA_TOKEN', place: 'parameter copy' }, inLocation: true })
  t.end()
})

void t.test('what is short, empty or of another never matches', (t) => {
  const nothing = { misplaced: null, inLocation: false }
  t.same(find({ headers: { 'x-pin': 'abc' }, query: '?pin=abc&%=&%zz', path: '/abc' }), nothing)
  t.same(find({ headers: { authorization: `Bearer ${JIRA.toLowerCase()}` } }), nothing)
  t.same(find({ headers: { authorization: 'Basic !!!' } }), nothing)
  t.same(find({ placeholders: new Map(), headers: { authorization: `Bearer ${JIRA}` } }), nothing)
  t.end()
})

void t.test('a placeholder of sixteen characters is searched for, a shorter one is an ordinary word', (t) => {
  for (const [length, found] of [
    [15, false],
    [16, true],
  ] as const) {
    const placeholder = 'x'.repeat(length)
    const placeholders = new Map([['A', placeholder]])
    const { misplaced } = find({ placeholders, headers: { 'x-note': `a ${placeholder} b` } })
    t.equal(misplaced !== null, found, String(length))
  }
  t.end()
})

void t.test('what is no location, and what is told of it', (t) => {
  const encoded = Buffer.from(`me:${JIRA}`).toString('base64')
  const misplaced = (place: string) => ({ secret: 'JIRA_TOKEN', place })
  const rows: readonly (readonly [Partial<PlaceholderInput>, string])[] = [
    [{ headers: { 'x-note': ['a', `b ${JIRA}`] } }, 'header x-note'],
    [{ headers: { cookie: `sid=${JIRA}` } }, 'header cookie'],
    [{ headers: { cookie: `a=1; other=${JIRA}` }, locations: { cookies: ['sid'] } }, 'cookie other'],
    [{ headers: { 'x-note': `sid=${JIRA}` }, locations: { cookies: ['sid'] } }, 'header x-note'],
    [{ headers: { 'x-note': `basic   ${encoded} ` } }, 'header x-note'],
    [{ query: `?${'n'.repeat(80)}=${JIRA}` }, `parameter ${'n'.repeat(64)}`],
    [{ query: `?a+b=${JIRA}` }, 'parameter a b'],
    [{ query: `?a=1&%6bey=${JIRA}` }, 'parameter key'],
    [{ path: `/x/${JIRA}` }, 'the path'],
  ]
  for (const [parts, place] of rows) t.strictSame(find(parts).misplaced, misplaced(place), place)
  for (const value of [`x Basic ${encoded}`, `Basic ${encoded} x`, `Basic${encoded}`])
    t.equal(find({ headers: { 'x-note': value } }).misplaced, null, `${value} is no Basic credential`)
  const plus = 'abcdefghij+/klmnopqrst'
  const bytes = Buffer.from(plus, 'base64').toString('latin1')
  t.ok(bytes.length >= 16)
  const searched = find({ placeholders: new Map([['A', bytes]]), headers: { 'x-note': `Basic ${plus}==` } })
  t.match(searched.misplaced, { secret: 'A' }, 'with all characters of base64')
  t.strictSame(find({}), { misplaced: null, inLocation: false })
  t.end()
})
