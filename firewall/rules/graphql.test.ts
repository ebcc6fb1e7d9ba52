import t from 'tap'
import { isDiagnostic } from '../contracts/diagnostic.js'
import { graphql, mayBeEndpoint, type GraphqlMatch, type GraphqlSubject } from './graphql.js'
import { EitherValue, type GraphqlValue } from './graphql-value.js'
import { RULE_KINDS } from './index.js'
import { parseRequestTarget } from './request-path.js'

function match(text: string): GraphqlMatch {
  const parsed = graphql.parse(`GRAPHQL ${text}`)
  if (isDiagnostic(parsed)) throw new Error(parsed.problem)
  return parsed
}

/** `mutation createIssue` with its arguments, and the fields below it. */
function field(
  text: string,
  values: Record<string, GraphqlValue> = {},
  nested: readonly string[] = [],
): GraphqlSubject {
  const [type = '', name = ''] = text.split(' ')
  return {
    path: '/graphql',
    type: type as GraphqlSubject['type'],
    field: name,
    arguments: new Map(Object.entries(values)),
    nested: new Set([name, ...nested]),
  }
}

void t.test('a rule names a type of operation and a root field', (t) => {
  t.match(match('mutation createIssue'), { path: '/graphql', type: 'mutation', field: 'createIssue' })
  t.match(match('query *'), { type: 'query', field: null })
  t.match(match('* *'), { type: null, field: null })
  t.match(match('/api/graphql subscription on*'), { path: '/api/graphql', field: 'on*' })
  t.match(match('* **.auditLog'), { isNested: true, field: 'auditLog' })
  t.match(match('persisted 0a1B:2'), { type: 'persisted', field: '0a1B:2' })
  t.match(match('query repository(owner=acme, name="app *")').arguments, [
    { path: ['owner'], parts: ['acme'] },
    { path: ['name'], parts: ['app ', ''] },
  ])
  t.match(match('query repository(owner: acme)').arguments, match('query repository(owner=acme)').arguments)
  t.match(RULE_KINDS.parse('GRAPHQL query viewer'), { kind: 'graphql' }, 'by its keyword')
  for (const [text, fix] of [
    ['createIssue', /Write `query createIssue` or `mutation createIssue`/],
    ['', /Write `query \*`/],
    ['mutation', /Write `query \*`/],
    ['mutation create-issue', /Write `query \*`/],
    ['mutation *Issue', /Write `query \*`/],
    ['Mutation createIssue', /Write `query Mutation`/],
    ['query a b', /Write `query \*`/],
    ['query **.*', /Write `query \*`/],
    ['persisted *', /Write `query \*`/],
    ['/graphql/** query *', /such as `\/graphql`/],
    ['query a()', /\(name=value\)/],
    ['query a(b)', /\(name=value\)/],
    ['query a(b=c,)', /\(name=value\)/],
    ['query a(b=c, b=d)', /\(name=value\)/],
    ['query a(b=c d)', /\(name=value\)/],
    ['query **.a(b=c)', /Remove the arguments/],
    ['persisted a(b=c)', /Remove the arguments/],
  ] as const)
    t.match(graphql.parse(`GRAPHQL ${text}`), { problem: /GraphQL|pattern/, fix }, text)
  t.end()
})

void t.test('a rule in English', (t) => {
  for (const [text, english] of [
    ['mutation createIssue', 'run the mutation createIssue by GraphQL at /graphql'],
    ['query *', 'run any query by GraphQL at /graphql'],
    ['* *', 'run any operation by GraphQL at /graphql'],
    ['/x query a(b="c", d=e)', 'run the query a with b=c and d=e by GraphQL at /x'],
    ['* **.auditLog', 'run any operation with the field auditLog by GraphQL at /graphql'],
    ['persisted a1', 'run the persisted document a1 by GraphQL at /graphql'],
  ] as const)
    t.equal(graphql.explain(match(text)), english)
  t.end()
})

void t.test('it matches its type, its field and its endpoint', (t) => {
  const subject = field('mutation createIssue')
  for (const [rule, expected] of [
    ['mutation createIssue', true],
    ['mutation *', true],
    ['* createIssue', true],
    ['mutation create*', true],
    ['mutation createIssu', false],
    ['mutation CreateIssue', false],
    ['query createIssue', false],
    ['query *', false],
    ['subscription *', false],
    ['/other mutation createIssue', false],
    ['persisted createIssue', false],
  ] as const) {
    t.equal(graphql.matches(match(rule), subject), expected, rule)
    t.equal(graphql.matchesLoosely?.(match(rule), subject), expected, rule)
  }
  t.equal(graphql.matches(match('* *'), field('persisted createIssue')), false, 'a document that nobody sees')
  t.equal(graphql.matches(match('persisted a'), field('persisted a')), true)
  const deep = field('query viewer', {}, ['organization', 'auditLog'])
  t.equal(graphql.matches(match('* **.auditLog'), deep), true)
  t.equal(graphql.matches(match('query **.audit*'), deep), true)
  t.equal(graphql.matches(match('mutation **.auditLog'), deep), false)
  t.equal(graphql.matches(match('query **.viewer'), deep), true, 'the root is at some depth')
  t.equal(graphql.denyOnly?.(match('query **.viewer')), true)
  t.equal(graphql.denyOnly?.(match('query viewer')), false)
  const below = graphql.below(match('query viewer'), '/base')
  t.equal(below.path, '/base/graphql')
  t.end()
})

void t.test('arguments: an allow rule is sure of each, a deny rule takes what could be', (t) => {
  const strict = (rule: string, values: Record<string, GraphqlValue>) =>
    graphql.matches(match(`mutation m(${rule})`), field('mutation m', values))
  const loose = (rule: string, values: Record<string, GraphqlValue>) =>
    graphql.matchesLoosely?.(match(`mutation m(${rule})`), field('mutation m', values))
  for (const [rule, values, sure, could] of [
    ['a=x', { a: 'x' }, true, true],
    ['a=x', { a: 'X' }, false, true],
    ['a=x', { a: 'y' }, false, false],
    ['a=x', {}, false, false],
    ['a=x', { a: null }, false, false],
    ['a=1', { a: 1 }, true, true],
    ['a=true', { a: true }, true, true],
    ['a=x*', { a: 'xyz' }, true, true],
    ['a=x*z', { a: 'xyz' }, true, true],
    ['a=x*z', { a: 'xz' }, true, true],
    ['a=xx*xx', { a: 'xxx' }, false, false],
    ['a=*', { a: 'anything' }, true, true],
    ['a=*', {}, false, false],
    ['a.b=x', { a: { b: 'x' } }, true, true],
    ['a.b=x', { a: new Map([['b', 'x']]) }, true, true],
    ['a.b=x', { a: 'x' }, false, false],
    ['a.b=x', { a: JSON.parse('{"__proto__":{"b":"x"}}') as GraphqlValue }, false, false],
    ['a.toString=x', { a: {} }, false, false],
    ['a=x', { a: ['x', 'x'] }, true, true],
    ['a=x', { a: ['x', 'y'] }, false, true],
    ['a=x', { a: [] }, false, false],
    ['a.b=x', { a: [{ b: 'x' }, { b: 'y' }] }, false, true],
    ['a=x', { a: new EitherValue([null, 'x']) }, false, true],
    ['a=x, b=y', { a: 'x', b: 'y' }, true, true],
    ['a=x, b=y', { a: 'x' }, false, false],
    ['a=x', { a: new Array(2_000).fill('x') as string[] }, false, true],
  ] as const) {
    t.equal(strict(rule, values), sure, `allow ${rule} ${JSON.stringify(values).slice(0, 60)}`)
    t.equal(loose(rule, values), could, `deny ${rule} ${JSON.stringify(values).slice(0, 60)}`)
  }
  t.end()
})

void t.test('rules that never apply, and rules that can meet', (t) => {
  for (const [earlier, later, expected] of [
    ['query *', 'query viewer', true],
    ['* *', 'mutation createIssue', true],
    ['* *', 'persisted a', false],
    ['query viewer', 'query *', false],
    ['mutation create*', 'mutation createIssue', true],
    ['mutation create*', 'mutation createIs*', true],
    ['mutation createIssue', 'mutation create*', false],
    ['query a(b=c)', 'query a', false],
    ['query a', 'query a(b=c)', true],
    ['query a(b=c)', 'query a(b=c, d=e)', true],
    ['query **.a', 'query a', true],
    ['query a', 'query **.a', false],
    ['query *', 'query **.a', true],
    ['/x query *', 'query a', false],
    ['query *', 'mutation a', false],
    ['persisted a', 'persisted a', true],
    ['persisted a', 'persisted b', false],
  ] as const)
    t.equal(graphql.covers([match(earlier)], match(later)) !== null, expected, `${earlier} > ${later}`)
  t.equal(graphql.overlaps(match('query a*'), match('query ab')), true)
  t.equal(graphql.overlaps(match('query a*'), match('query b')), false)
  t.equal(graphql.overlaps(match('query *'), match('mutation *')), false)
  t.equal(graphql.overlaps(match('* **.x'), match('query a')), true)
  t.equal(graphql.overlaps(match('/x query a'), match('query a')), false)
  t.end()
})

void t.test('every spelling of the endpoint counts', (t) => {
  const at = (target: string) => {
    const path = parseRequestTarget(target)
    if (typeof path === 'string') throw new Error(path)
    return mayBeEndpoint(match('query *'), path)
  }
  for (const target of [
    '/graphql',
    '/graphql?query=x',
    '/GraphQL',
    '/graphql/',
    '//graphql',
    '/graphql.json',
    '/graphql;x=1',
    '/%67raphql',
    '/graphql%20',
    '/%2567raphql',
    '/graphq%EF%BD%8C',
  ])
    t.equal(at(target), true, target)
  for (const target of ['/graphql/schema', '/api/graphql', '/graphqls', '/'])
    t.equal(at(target), false, target)
  t.end()
})
