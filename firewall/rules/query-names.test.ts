import t from 'tap'
import { growth } from '#test/fixtures/growth.js'
import { isDiagnostic } from '../contracts/diagnostic.js'
import { http, httpAlternatives, type HttpMatch, type HttpSubject } from './http.js'
import { QueryNames } from './query-names.js'
import { parseRequestTarget } from './request-path.js'

function rule(text: string): HttpMatch {
  const match = http.parse(text)
  if (isDiagnostic(match)) throw new Error(match.problem)
  return match
}

function subject(target: string): HttpSubject {
  const path = parseRequestTarget(target)
  if (typeof path === 'string') throw new Error(path)
  const found = httpAlternatives('PUT', path, [])?.[0]?.[0]
  if (found === undefined) throw new Error('one request has one reading')
  return found
}

const allows = (text: string, target: string) => http.matches(rule(text), subject(target))
const denies = (text: string, target: string) => http.matchesLoosely?.(rule(text), subject(target)) ?? false

void t.test('an allow rule asks for the parameter as it is written', (t) => {
  for (const target of ['/k?acl', '/k?acl=', '/k?x=1&acl=private', '/k?%61cl'])
    t.ok(allows('PUT /*?acl', target), target)
  for (const target of ['/k', '/k?ACL', '/k?x=acl', '/k?acls', '/k?x=1;acl', '/other/k?acl'])
    t.notOk(allows('PUT /*?acl', target), target)
  t.end()
})

void t.test('a deny rule catches every spelling of it', (t) => {
  for (const target of [
    '/k?acl',
    '/k?ACL=1',
    '/k?x=1;acl',
    '/k?%41cl',
    '/k?+acl',
    '/k?acl[]=1',
    '/k?acl%00x',
    '/K/?Acl',
  ])
    t.ok(denies('PUT /k?acl', target), target)
  for (const target of ['/k', '/k?x=acl', '/k?acls', '/k?x[acl]=1'])
    t.notOk(denies('PUT /k?acl', target), target)
  t.end()
})

void t.test('a rule without a parameter matches with and without one', (t) => {
  for (const target of ['/k', '/k?acl']) t.ok(allows('PUT /k', target), target)
  t.end()
})

void t.test('which rules cover one another', (t) => {
  const covers = (earlier: string, later: string) => http.covers([rule(earlier)], rule(later)) !== null
  t.ok(covers('PUT /**', 'PUT /k?acl'))
  t.ok(covers('PUT /**?acl', 'PUT /k?acl'))
  t.notOk(covers('PUT /**?acl', 'PUT /k'))
  t.notOk(covers('PUT /**?acl', 'PUT /k?tagging'))
  t.equal(http.explain(rule('PUT /**?acl')), 'use PUT on any path, with the query parameter `acl`')
  t.same(http.below(rule('PUT /k?acl'), '/base'), rule('PUT /base/k?acl'))
  t.end()
})

void t.test('what is not the name of one parameter is an error', (t) => {
  for (const text of ['PUT /k?', 'PUT /k?acl=1', 'PUT /k?a&b', 'PUT /k?a?b', 'PUT /k?%61', 'PUT /k?*']) {
    const match = http.parse(text)
    t.ok(isDiagnostic(match), text)
    t.match(match, { fix: /\?name/ }, text)
  }
  t.end()
})

void t.test('no query makes it slow', (t) => {
  for (const part of ['a&', ';', '%00', '[', '+a&']) {
    const ask = (times: number) => () => new QueryNames(`?${part.repeat(times)}`).hasLoosely('acl')
    t.ok(growth(ask(500), ask(4_000)) < 30, part)
  }
  t.end()
})
